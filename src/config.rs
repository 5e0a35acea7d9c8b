//! Every setting: name, default, meaning.
