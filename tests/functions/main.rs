//! The functions as programs, started as Vercel starts them and spoken to over HTTP and its socket. `ROVODEV_VERCEL_OUTPUT`
//! names the folder that `vercel build` wrote; without it they are the programs that Cargo built.

mod answers;
mod downloads;
mod emitted;
mod function;
mod health;
mod killed;
mod panics;
mod platform;
mod program;
mod reading;
