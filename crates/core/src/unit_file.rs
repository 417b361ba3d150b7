//! Unit-file text: transient unit files and drop-ins as systemd writes them.
