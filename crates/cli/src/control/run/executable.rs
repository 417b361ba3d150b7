//! Where the command's program lies: services are not searched for in anybody's `PATH`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::control::error::{Error, Result};

/// The absolute path of a program as it would be found from here.
pub(super) fn find(program: &OsStr, search: Option<OsString>) -> Result<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return std::path::absolute(program).map_err(|e| failed(program, e));
    }
    let search = search.unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    let directories = std::env::split_paths(&search).filter(|directory| directory.is_absolute());
    let found = directories.map(|directory| directory.join(program)).find(|path| is_program(path));
    found.ok_or_else(|| failed(program, io::Error::from_raw_os_error(libc::ENOENT)))
}

fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

fn failed(program: &OsStr, source: io::Error) -> Error {
    Error::Exec { command: program.to_string_lossy().into_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(program: &str, search: &str) -> Result<PathBuf> {
        find(program.as_ref(), Some(search.into()))
    }

    #[test]
    fn as_a_shell_finds_it() {
        assert_eq!(look("sh", "relative::/nonexistent:/bin").unwrap(), Path::new("/bin/sh"));
        assert_eq!(look("/no/such/program", "/bin").unwrap(), Path::new("/no/such/program"));
        assert_eq!(look("./x", "").unwrap(), std::env::current_dir().unwrap().join("x"));
        assert_eq!(look("passwd", "/etc").unwrap_err().exit_status(), 127);
    }
}
