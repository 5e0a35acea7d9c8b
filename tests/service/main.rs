//! The service over HTTP, against a whole local project: Postgres, PostgREST, sign-in, S3, every function.

mod apart;
mod audit;
mod backups;
mod cli;
mod doors;
mod floods;
mod issuer;
mod jobs;
mod keys;
mod lite;
mod origins;
mod postgrest;
mod requests;
mod rights;
mod init;
mod jobs;
mod proxy;
mod remote;
mod shell;
mod stack;
mod tokens;
mod transitions;
