//! What a service adds to a unit: commands, main process, results (reference 02.5).

/// The running side of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceState {
    /// The main process, while it lives.
    pub main_pid: Option<u32>,
    /// Its end will be told: it is our child, or has been taken hold of.
    pub is_watched: bool,
    /// The last main process, for `ExecMainPID`.
    pub exec_main_pid: u32,
    /// `CLD_*` of its end; 0 while it lives.
    pub exec_main_code: i32,
    /// Exit code or signal.
    pub exec_main_status: i32,
    /// When it was started.
    pub exec_main_start: crate::time::Timestamp,
    /// When it ended.
    pub exec_main_exit: crate::time::Timestamp,
    /// Which of several commands is running.
    pub command_index: usize,
}
