//! The local stack itself, each part on real servers.

mod crash;
mod demo;
mod s3;
