//! Runs plans on the real cgroup file system.
