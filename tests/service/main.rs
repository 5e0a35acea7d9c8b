//! The service over HTTP, against a whole local project: Postgres, PostgREST, sign-in, S3, every function.

mod backups;
mod doors;
mod stack;
