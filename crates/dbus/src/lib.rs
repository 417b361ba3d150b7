//! Serves the arbiter over D-Bus: translation only.
