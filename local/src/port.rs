//! Ports of this machine.

use crate::error::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};

/// A port of 127.0.0.1 that is free at this moment.
pub fn free() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a port on 127.0.0.1")?;
    let address = listener
        .local_addr()
        .context("cannot read the port just opened")?;
    Ok(address.port())
}

/// `wanted` if it is free, else another one.
pub fn free_or_other(wanted: u16) -> Result<u16> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
        Ok(_) => Ok(wanted),
        Err(_) => free(),
    }
}
