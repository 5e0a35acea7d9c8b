//! Ports of this machine.

use crate::error::{Result, message};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use uuid::Uuid;

/// Below those that systems give to connections by themselves: one of these stays free until it is used. Browsers refuse
/// 10080.
const OURS: Range<u16> = 11_000..32_000;
const TRIES: u32 = 100;

/// A port of 127.0.0.1 that is free at this moment, by chance.
pub fn free() -> Result<u16> {
    let any = || OURS.start + (Uuid::new_v4().as_u128() % OURS.len() as u128) as u16;
    let open = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let found = (0..TRIES).map(|_| any()).find(open);
    found.ok_or_else(|| message(format!("none of {TRIES} ports of 127.0.0.1 can be opened")))
}

/// `wanted` if it is free, else another one.
pub fn free_or_other(wanted: u16) -> Result<u16> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
        Ok(_) => Ok(wanted),
        Err(_) => free(),
    }
}
