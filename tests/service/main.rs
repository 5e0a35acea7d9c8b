//! The service over HTTP, against a whole local project: Postgres, PostgREST, sign-in, S3, every function.

mod backups;
mod cli;
mod doors;
mod init;
mod jobs;
mod proxy;
mod remote;
mod shell;
mod stack;
