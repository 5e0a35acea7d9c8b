//! Backups are read back from the store by themselves: damage is found and told, and whoever stops is followed by the next.

mod order;
mod stopped;
mod told;
