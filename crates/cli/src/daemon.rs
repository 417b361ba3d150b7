//! The daemon: its parts are put together here, and its loop turns here. No rule lives here.

mod backend;
mod clock;
mod config;
mod door;
mod executor;
mod live;
mod notify;
mod presence;
mod recorder;
mod replace;
mod serve;

pub use backend::{Backend, BackendError, controllers_to_share};
pub use config::{Choices, ConfigError};
pub use recorder::Recording;
pub use replace::Program;
pub use serve::{Daemon, ServeError};

use crate::args::daemon::Args;
use clap::Parser;
use std::process::ExitCode;

/// Runs `cgarbiterd`.
#[must_use]
pub fn main() -> ExitCode {
    let program = Program::own();
    let args = Args::parse();
    start_log();
    match program.map_err(ServeError::Io).and_then(|program| run(&args, program)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CGARBITER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .try_init();
}

fn run(args: &Args, program: Program) -> Result<(), ServeError> {
    let choices = Choices::gather(args)?;
    if args.check_config {
        return choices.print(&mut std::io::stdout().lock()).map_err(ServeError::Io);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Io)?;
    runtime.block_on(async {
        let mut daemon = Daemon::prepare(choices, program)?;
        daemon.open().await?;
        daemon.serve(serve::stop_signal()?).await
    })
}
