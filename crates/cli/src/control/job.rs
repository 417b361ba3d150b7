//! Waiting for jobs: JobRemoved signals are collected from before the call on, so that none is missed.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use zbus::{Message, OwnedObjectPath};

use super::client::{Client, MANAGER, MANAGER_PATH};
use super::error::{Error, Result};
use super::output;

const PATIENCE: Duration = Duration::from_secs(1);

/// id, job path, unit, result
type JobRemoved = (u32, OwnedObjectPath, String, String);

/// Collects the results of all jobs from the moment it is made.
pub(crate) struct JobWatch {
    arriving: UnboundedReceiver<Message>,
    results: HashMap<OwnedObjectPath, String>,
}

impl JobWatch {
    /// To be called before the call that makes the job.
    pub(crate) async fn start(client: &Client) -> Result<Self> {
        let what = "cannot watch for the end of jobs";
        let arriving = client.signals(what, MANAGER_PATH, MANAGER, "JobRemoved").await?;
        Ok(Self { arriving, results: HashMap::new() })
    }

    /// Waits, without a limit, until the job has ended; whoever watches is told after a second.
    pub(crate) async fn wait(&mut self, unit: &str, job: &OwnedObjectPath) -> Result<()> {
        match timeout(PATIENCE, self.wait_quietly(unit, job)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                output::progress(format_args!("waiting for the job of {unit} …"));
                self.wait_quietly(unit, job).await
            }
        }
    }

    /// The same for who is busy with something else on the terminal.
    pub(crate) async fn wait_quietly(&mut self, unit: &str, job: &OwnedObjectPath) -> Result<()> {
        match self.result_of(job).await.as_deref() {
            Some("done" | "skipped") => Ok(()),
            Some(result) => Err(Error::Job { unit: unit.to_owned(), result: result.to_owned() }),
            None => Err(Error::Disconnected { unit: unit.to_owned() }),
        }
    }

    /// None if the connection ended first.
    async fn result_of(&mut self, job: &OwnedObjectPath) -> Option<String> {
        loop {
            // Kept: two requests may have been merged into one job.
            if let Some(result) = self.results.get(job) {
                return Some(result.clone());
            }
            let signal = self.arriving.recv().await?;
            if let Ok((_, path, _, result)) = signal.body().deserialize::<JobRemoved>() {
                self.results.insert(path, result);
            }
        }
    }
}
