//! The two programs, and the only place where the parts meet.
