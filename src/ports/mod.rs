//! The outside world.

pub mod catalog;
pub mod mail;
pub mod outward;
pub mod postgres;
pub mod push;
pub mod store;
pub mod vercel;
pub mod web;
