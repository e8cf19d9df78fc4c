//! Profiles of the Cisco VPN client (`.pcf`): an INI file with one section.

use crate::secret::Password;

/// What a profile says of its connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pcf {
    /// `Description`.
    pub description: Option<String>,
    /// `Host`: the gateway.
    pub host: Option<String>,
    /// `GroupName`.
    pub group: Option<String>,
    /// `GroupPwd`, in clear text.
    pub group_password: Option<Password>,
    /// `enc_GroupPwd`, obfuscated; decoding is the caller's.
    pub group_password_encoded: Option<String>,
    /// `Username`.
    pub user: Option<String>,
    /// `UserPassword`, in clear text.
    pub user_password: Option<Password>,
    /// `enc_UserPassword`, obfuscated; decoding is the caller's.
    pub user_password_encoded: Option<String>,
    /// `DHGroup`.
    pub dh_group: Option<u16>,
    /// `EnableNat`; on unless it says 0.
    pub nat: bool,
    /// `BackupServer`.
    pub backup_servers: Vec<String>,
}

/// Reads a profile. Keys are case-insensitive; a leading `!` (read-only) is taken off; what is not
/// known is left alone.
pub fn parse(text: &str) -> Pcf {
    let mut pcf = Pcf { nat: true, ..Pcf::default() };
    for line in text.lines() {
        let Some((key, value)) = line.trim().trim_start_matches('!').split_once('=') else { continue };
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        let text = || Some(value.to_string());
        match key.trim().to_ascii_lowercase().as_str() {
            "description" => pcf.description = text(),
            "host" => pcf.host = text(),
            "groupname" => pcf.group = text(),
            "grouppwd" => pcf.group_password = Some(Password::new(0, value)),
            "enc_grouppwd" => pcf.group_password_encoded = text(),
            "username" => pcf.user = text(),
            "userpassword" => pcf.user_password = Some(Password::new(0, value)),
            "enc_userpassword" => pcf.user_password_encoded = text(),
            "dhgroup" => pcf.dh_group = value.parse().ok(),
            "enablenat" => pcf.nat = value != "0",
            "backupserver" => pcf.backup_servers = value.split(',').map(|s| s.trim().to_string()).collect(),
            _ => {}
        }
    }
    pcf
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_profile() {
        let pcf = super::parse(
            "[main]\r\nHost=10.48.67.181\r\n!GroupName=testgroup\r\nenc_GroupPwd=AB12\r\nEnableNat=0\r\nDHGroup=2\r\n",
        );
        assert_eq!(pcf.host.as_deref(), Some("10.48.67.181"));
        assert_eq!(pcf.group.as_deref(), Some("testgroup"));
        assert_eq!(pcf.group_password_encoded.as_deref(), Some("AB12"));
        assert_eq!((pcf.nat, pcf.dh_group), (false, Some(2)));
    }
}
