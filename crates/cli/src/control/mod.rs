//! The client: one verb, one file; each makes its calls and prints its answer.

mod analyze;
pub(crate) mod assign;
mod cat;
mod change;
mod check;
mod client;
mod connect;
mod demo;
mod edit;
mod error;
mod files;
mod generate;
mod human;
mod identity;
mod job;
mod jobs;
mod list;
mod ls;
mod names;
mod output;
mod plan;
mod run;
mod show;
mod socket;
mod status;
mod table;
mod tree;
mod units;
mod value;
mod version;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::args::client::{Args, Command, Global};

use client::Client;
use error::{Error, Result};
use output::Output;

/// Runs the client to its exit status.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match execute(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, Error::Status(_)) {
                output::report(&error, args.global.json);
            }
            ExitCode::from(error.exit_status())
        }
    }
}

fn execute(args: &Args) -> Result<()> {
    let mut out = Output::stdout(args.global.json);
    let outcome = match &args.command {
        Command::Run(run) => run::run(&args.global, run),
        Command::Completions(completions) => generate::completions(completions, &mut out),
        Command::Man(man) => generate::man(man),
        Command::Demo => demo::demo(&mut out),
        Command::Check(args) => check::check(args, &mut out),
        command => runtime()?.block_on(dispatch(&args.global, command, &mut out)),
    };
    let printed = out.finish();
    outcome.and(printed)
}

/// The verbs that talk to a server and then print.
async fn dispatch(global: &Global, command: &Command, out: &mut Output) -> Result<()> {
    if matches!(command, Command::Version) {
        return version::version(global, out).await;
    }
    let client = &Client::connect(global).await?;
    match command {
        Command::Ls(args) => ls::ls(client, args, out).await,
        Command::List(args) => list::list(client, args, out).await,
        Command::Status(args) => status::status(client, args, out).await,
        Command::Show(args) => show::show(client, args, out).await,
        Command::Set(args) => change::set(client, args, out).await,
        Command::Start(args) => jobs::start(client, args, out).await,
        Command::Stop(args) => jobs::stop(client, args, out).await,
        Command::Restart(args) => jobs::restart(client, args, out).await,
        Command::Reload(args) => jobs::reload(client, args, out).await,
        Command::ListJobs => jobs::list_jobs(client, out).await,
        Command::ListUnitFiles(args) => files::list_unit_files(client, args, out).await,
        Command::Cat(args) => cat::cat(client, args, out).await,
        Command::Edit(args) => edit::edit(client, args, out).await,
        Command::Enable(args) => files::enable(client, args, out).await,
        Command::Disable(args) => files::disable(client, args, out).await,
        Command::Reenable(args) => files::reenable(client, args, out).await,
        Command::Mask(args) => files::mask(client, args, out).await,
        Command::Unmask(args) => files::unmask(client, args, out).await,
        Command::Link(args) => files::link(client, args, out).await,
        Command::Revert(args) => files::revert(client, args, out).await,
        Command::Analyze(args) => analyze::analyze(client, args, out).await,
        Command::Kill(args) => change::kill(client, args, out).await,
        Command::Freeze(args) => change::freeze(client, args, out).await,
        Command::Thaw(args) => change::thaw(client, args, out).await,
        Command::ResetFailed(args) => change::reset_failed(client, args, out).await,
        Command::Plan(args) => plan::plan(client, args, out).await,
        Command::Run(_)
        | Command::Demo
        | Command::Version
        | Command::Check(_)
        | Command::Completions(_)
        | Command::Man(_) => Ok(()),
    }
}

fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().map_err(|e| Error::io("cannot set up the event loop", e))
}
