//! What happens is told: from the change of state to the receiver, whatever breaks in between.

mod channels;
mod folded;
mod killed;
mod mails;
mod overdue;
mod pushed;
pub mod receiver;
mod sent;
pub mod smtp;
