//! CBC encryption of IKE messages (RFC 2409 appendix B).

use crate::suite::IkeCipher;
use ::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};

/// What a caller can get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The key's length is not the algorithm's.
    #[error("wrong key length")]
    KeyLength,
    /// The IV's length is not the cipher's block length.
    #[error("wrong IV length")]
    IvLength,
    /// The data is not a whole number of blocks.
    #[error("not a whole number of blocks")]
    NotBlocks,
}

/// Encrypts whole blocks in place.
pub fn cbc_encrypt(cipher: IkeCipher, key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
    match cipher {
        IkeCipher::Des => encrypt::<des::Des>(key, iv, data),
        IkeCipher::TripleDes => encrypt::<des::TdesEde3>(key, iv, data),
        IkeCipher::Aes128 => encrypt::<aes::Aes128>(key, iv, data),
        IkeCipher::Aes192 => encrypt::<aes::Aes192>(key, iv, data),
        IkeCipher::Aes256 => encrypt::<aes::Aes256>(key, iv, data),
    }
}

/// Decrypts whole blocks in place.
pub fn cbc_decrypt(cipher: IkeCipher, key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
    match cipher {
        IkeCipher::Des => decrypt::<des::Des>(key, iv, data),
        IkeCipher::TripleDes => decrypt::<des::TdesEde3>(key, iv, data),
        IkeCipher::Aes128 => decrypt::<aes::Aes128>(key, iv, data),
        IkeCipher::Aes192 => decrypt::<aes::Aes192>(key, iv, data),
        IkeCipher::Aes256 => decrypt::<aes::Aes256>(key, iv, data),
    }
}

fn encrypt<C>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>
where
    C: KeyInit + ::cipher::BlockCipherEncrypt,
{
    let cipher = C::new_from_slice(key).map_err(|_| CryptoError::KeyLength)?;
    let iv = Array::try_from(iv).map_err(|_| CryptoError::IvLength)?;
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if !rest.is_empty() {
        return Err(CryptoError::NotBlocks);
    }
    cbc::Encryptor::<C>::inner_iv_init(cipher, &iv).encrypt_blocks(blocks);
    Ok(())
}

fn decrypt<C>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>
where
    C: KeyInit + ::cipher::BlockCipherDecrypt,
{
    let cipher = C::new_from_slice(key).map_err(|_| CryptoError::KeyLength)?;
    let iv = Array::try_from(iv).map_err(|_| CryptoError::IvLength)?;
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if !rest.is_empty() {
        return Err(CryptoError::NotBlocks);
    }
    cbc::Decryptor::<C>::inner_iv_init(cipher, &iv).decrypt_blocks(blocks);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3602 section 4, case 1.
    #[test]
    fn aes_cbc_of_rfc_3602() {
        let key = 0x06a9214036b8a15b512e03d534120006u128.to_be_bytes();
        let iv = 0x3dafba429d9eb430b422da802c9fac41u128.to_be_bytes();
        let mut data = *b"Single block msg";
        cbc_encrypt(IkeCipher::Aes128, &key, &iv, &mut data).unwrap();
        assert_eq!(u128::from_be_bytes(data), 0xe353779c1079aeb82708942dbe77181a);
        cbc_decrypt(IkeCipher::Aes128, &key, &iv, &mut data).unwrap();
        assert_eq!(&data, b"Single block msg");
    }

    #[test]
    fn wrong_lengths_are_errors() {
        let mut data = [0; 9];
        assert_eq!(cbc_encrypt(IkeCipher::Des, &[1; 8], &[0; 8], &mut data), Err(CryptoError::NotBlocks));
        assert_eq!(
            cbc_decrypt(IkeCipher::Des, &[1; 7], &[0; 8], &mut data[..8]),
            Err(CryptoError::KeyLength)
        );
        assert_eq!(
            cbc_decrypt(IkeCipher::TripleDes, &[1; 24], &[0; 7], &mut data[..8]),
            Err(CryptoError::IvLength)
        );
    }
}
