//! Asking the person at the terminal.

use crate::base::program::complain;
use anyhow::{Context as _, bail};
use hubward_crypto::secret::Secret;
use hubward_linux::terminal::{Modes, is_terminal};
use hubward_proto::ike::io::CredentialField;
use std::io::Write as _;

/// What is already known about the user. A password is sent once: a gateway that asks again has
/// rejected it.
#[derive(Default)]
pub(crate) struct Known {
    /// The user.
    pub(crate) user: Option<String>,
    /// The password.
    pub(crate) password: Option<Secret>,
}

/// Reads a line of text, shown as it is typed.
pub(crate) fn line(prompt: &str) -> anyhow::Result<String> {
    if !is_terminal(std::io::stdin()) {
        bail!("{prompt} is not known, and there is no terminal to ask at");
    }
    let mut out = std::io::stderr();
    write!(out, "{prompt}: ").and_then(|()| out.flush()).context("cannot ask")?;
    let mut text = String::new();
    std::io::stdin().read_line(&mut text).context("cannot read the answer")?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Reads a line that is not shown.
pub(crate) fn hidden(prompt: &str) -> anyhow::Result<Secret> {
    if !is_terminal(std::io::stdin()) {
        bail!("{prompt} is not known, and there is no terminal to ask at");
    }
    // whoever sees the prompt may type, or paste, at once: the echo is off before it
    let before = Modes::of(std::io::stdin());
    if let Some(before) = &before {
        before.without_echo().restore(std::io::stdin());
    }
    complain(&format!("{prompt}: "));
    let text = rpassword::read_password().context("cannot ask");
    if let Some(before) = before {
        before.restore(std::io::stdin());
    }
    let text = text?;
    Ok(Secret::new(text.into_bytes()))
}

/// Answers what the gateway asks; `None` if there are no answers.
pub(crate) fn answers(
    known: &Known,
    fields: &[CredentialField],
    message: Option<&str>,
) -> Option<Vec<(CredentialField, Secret)>> {
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        complain(&format!("The gateway says: {}\n", message.escape_debug()));
    }
    let one = |field: CredentialField| -> anyhow::Result<Secret> {
        let text = |prompt: &str| line(prompt).map(|text| Secret::new(text.into_bytes()));
        match field {
            CredentialField::User => match &known.user {
                Some(user) => Ok(Secret::new(user.as_bytes())),
                None => text("User"),
            },
            CredentialField::Password => match &known.password {
                Some(password) => Ok(password.clone()),
                None => hidden("Password"),
            },
            CredentialField::Passcode => hidden("Passcode"),
            CredentialField::Answer => hidden("Answer"),
            CredentialField::NextPin => hidden("Next PIN"),
            CredentialField::Domain => text("Domain"),
        }
    };
    let mut given = Vec::new();
    for field in fields {
        match one(*field) {
            Ok(value) => given.push((*field, value)),
            Err(error) => {
                complain(&format!("hubward: {error:#}\n"));
                return None;
            }
        }
    }
    Some(given)
}
