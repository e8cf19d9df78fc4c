//! Management: what people and programs may ask, and changes of the configuration.

pub(crate) mod configure;
pub(crate) mod desk;
mod typed_password;
