//! Deploy hooks: Vercel's webhooks, checks that hold deployments, and hooks by a secret.

mod checks;
mod deliveries;
mod secrets;
mod set_up;
mod vercel;
