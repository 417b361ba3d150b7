//! Who asks, as text.

use crate::tables::{choice, record};
use cgarbiter_core::client::{Client, Transport};

record!(Client { id, transport, uid, pid });
choice!(Transport { Private, Bus(name) });
