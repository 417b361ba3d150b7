//! `version`: of the client, and of the server if one answers.

use serde::Serialize;

use crate::args::client::Global;

use super::client::{Client, MANAGER, MANAGER_PATH};
use super::error::{Error, Result};
use super::output::Output;
use super::value;

/// The shape in JSON.
#[derive(Debug, Serialize)]
struct Versions {
    client: &'static str,
    server: Option<Server>,
}

#[derive(Debug, Serialize)]
struct Server {
    version: String,
    address: String,
}

pub(super) async fn version(global: &Global, out: &mut Output) -> Result<()> {
    let server = match server(global).await {
        Ok(server) => Some(server),
        // Nothing to complain about, unless this very server was asked for.
        Err(Error::NoServer(_)) if global.address.is_none() => None,
        Err(error) => return Err(error),
    };
    let versions = Versions { client: env!("CARGO_PKG_VERSION"), server };
    if out.is_json() {
        return out.json(&versions);
    }
    out.line(format_args!("client: cgarbiter {}", versions.client));
    match versions.server {
        Some(Server { version, address }) => out.line(format_args!("server: {version} ({address})")),
        None => out.line("server: none answers"),
    }
    Ok(())
}

async fn server(global: &Global) -> Result<Server> {
    let client = Client::connect(global).await?;
    let version = client.get("cannot ask for the version", MANAGER_PATH, MANAGER, "Version").await?;
    Ok(Server { version: value::text("Version", &version), address: client.address().to_owned() })
}
