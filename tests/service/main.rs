//! The service over HTTP, against a whole local project: Postgres, PostgREST, sign-in, S3, every function.

mod backups;
mod doors;
mod download;
mod download_memory;
mod download_rights;
mod estimates;
mod exports;
mod jobs;
mod list_export;
mod stack;
mod worker;
