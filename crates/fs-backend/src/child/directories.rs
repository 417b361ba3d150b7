//! Directories that a service has below `/run`, `/var/lib` and their like.

use super::{Child, DirectoryKind, Done, about, about_io};
use cgarbiter_core::exec::merge_variables;
use nix::unistd::chown;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

impl Child {
    /// Makes them, gives them to the user, and tells the program where they are.
    pub(super) fn make_directories(&mut self, kind: DirectoryKind, names: &[String], mode: u32) -> Done {
        let paths: Vec<String> = names.iter().map(|name| format!("{}/{name}", kind.place())).collect();
        for path in &paths {
            if let Some((parent, _)) = path.rsplit_once('/') {
                fs::DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(about_io(parent))?;
            }
            match fs::create_dir(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(about_io(path)(error)),
                _ => {}
            }
            // Configuration belongs to the administrator.
            if kind != DirectoryKind::Configuration {
                let (uid, gid) = self.identity.owner();
                chown(path.as_str(), uid, gid).map_err(about(path.as_str()))?;
            }
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(about_io(path))?;
        }
        merge_variables(&mut self.environment, [format!("{}={}", kind.variable(), paths.join(":"))]);
        Ok(())
    }
}
