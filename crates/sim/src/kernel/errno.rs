//! The error numbers a system call can answer; names and numbers are those of Linux on x86-64.

use std::fmt;

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// An error number, named as in the manual pages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::upper_case_acronyms)]
        pub enum Errno {
            $(#[doc = $text] $name = $number,)*
        }

        const ALL: &[(Errno, &str, &str)] = &[$((Errno::$name, stringify!($name), $text),)*];
    };
}

errnos! {
    EPERM = 1, "operation not permitted";
    ENOENT = 2, "no such file or directory";
    ESRCH = 3, "no such process";
    EIO = 5, "input/output error";
    E2BIG = 7, "argument list too long";
    EBADF = 9, "bad file descriptor";
    ECHILD = 10, "no child processes";
    EAGAIN = 11, "resource temporarily unavailable";
    ENOMEM = 12, "cannot allocate memory";
    EACCES = 13, "permission denied";
    EBUSY = 16, "device or resource busy";
    EEXIST = 17, "file exists";
    EXDEV = 18, "invalid cross-device link";
    ENODEV = 19, "no such device";
    ENOTDIR = 20, "not a directory";
    EISDIR = 21, "is a directory";
    EINVAL = 22, "invalid argument";
    ENOSPC = 28, "no space left on device";
    EROFS = 30, "read-only file system";
    ERANGE = 34, "numerical result out of range";
    ENAMETOOLONG = 36, "file name too long";
    ENOTEMPTY = 39, "directory not empty";
    ENODATA = 61, "no data available";
    EOVERFLOW = 75, "value too large for defined data type";
    EOPNOTSUPP = 95, "operation not supported";
}

impl Errno {
    /// The number, as a failed system call leaves it in `errno`.
    #[must_use]
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The symbolic name, for example `EBUSY`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The error of this symbolic name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    /// The error of this number, if the kernel here knows it.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        ALL.iter().map(|entry| entry.0).find(|errno| errno.number() == number)
    }

    fn entry(self) -> &'static (Self, &'static str, &'static str) {
        ALL.iter().find(|entry| entry.0 == self).expect("every error is in the table")
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name, text) = self.entry();
        write!(f, "{name}: {text}")
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree_with_linux() {
        assert_eq!(Errno::EBUSY.number(), 16);
        assert_eq!(Errno::EOPNOTSUPP.to_string(), "EOPNOTSUPP: operation not supported");
        for (errno, name, _) in ALL {
            assert_eq!(Errno::from_name(name), Some(*errno));
        }
        assert_eq!(Errno::from_name("EFOO"), None);
        assert_eq!((Errno::from_number(28), Errno::from_number(12345)), (Some(Errno::ENOSPC), None));
    }
}
