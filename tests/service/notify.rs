//! What happens is told: from the change of state to the receiver, whatever breaks in between.

mod receiver;
mod sent;
