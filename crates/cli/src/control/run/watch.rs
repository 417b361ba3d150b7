//! Waiting for the end of a unit: its changes are hints, its properties are the answer.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};
use zbus::Message;

use crate::args::client::Global;
use crate::control::client::{Client, PROPERTIES};
use crate::control::error::{Error, Result};
use crate::control::names;

use super::ending::Ending;

/// How long a manager may take to come back, and how often it is looked for.
const ABSENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Hears of changes of a unit from the moment it is made.
pub(super) struct UnitWatch {
    changes: UnboundedReceiver<Message>,
}

impl UnitWatch {
    /// To be called before the unit is started.
    pub(super) async fn start(client: &Client, unit: &str) -> Result<Self> {
        let what = format!("cannot watch {unit}");
        let changes = client.signals(&what, &names::unit_path(unit), PROPERTIES, "PropertiesChanged").await?;
        Ok(Self { changes })
    }

    /// False if the connection has ended.
    async fn changed(&mut self) -> bool {
        let heard = self.changes.recv().await.is_some();
        while self.changes.try_recv().is_ok() {}
        heard
    }
}

/// Waits, without a limit, until the unit has ended. A manager that goes and comes back (an upgrade) is asked again.
pub(super) async fn until_over(
    global: &Global,
    mut client: Client,
    unit: &str,
    mut watch: UnitWatch,
) -> Result<Ending> {
    let what = format!("cannot find out how {unit} is");
    loop {
        match client.unit(&what, unit).await {
            Ok(properties) => match Ending::of(unit, &properties) {
                Some(ending) => return Ok(ending),
                None if watch.changed().await => continue,
                None => {}
            },
            Err(error @ Error::Refused { .. }) => return Err(error),
            Err(_) => {}
        }
        (client, watch) = again(global, unit).await?;
    }
}

/// A new connection that refers to the unit again. The manager may go once more while it is being made.
async fn again(global: &Global, unit: &str) -> Result<(Client, UnitWatch)> {
    let limit = Instant::now() + ABSENCE;
    loop {
        match refer_again(global, unit).await {
            Ok(found) => return Ok(found),
            Err(error @ Error::Refused { .. }) => return Err(error),
            Err(error) if Instant::now() >= limit => return Err(error),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn refer_again(global: &Global, unit: &str) -> Result<(Client, UnitWatch)> {
    let client = Client::connect(global).await?;
    let watch = UnitWatch::start(&client, unit).await?;
    let what = format!("how {unit} ended is not known, the manager has been away meanwhile");
    client.manager::<_, ()>(&what, "RefUnit", &unit).await?;
    Ok((client, watch))
}
