//! What the cluster says, as errors for people.

use crate::cache::PutError;
use crate::cluster::{FaultError, IncrError, MoveError};
use crate::config::ConfigError;
use crate::language::{Error, ErrorKind};
use crate::network::NetworkError;
use crate::time::TimeError;

impl From<PutError> for Error {
    fn from(error: PutError) -> Self {
        Self::new(ErrorKind::Refused, error.to_string())
    }
}

impl From<MoveError> for Error {
    fn from(error: MoveError) -> Self {
        Self::new(ErrorKind::Refused, error.to_string())
    }
}

impl From<IncrError> for Error {
    fn from(error: IncrError) -> Self {
        Self::new(ErrorKind::Refused, error.to_string())
    }
}

impl From<FaultError> for Error {
    fn from(error: FaultError) -> Self {
        Self::new(ErrorKind::Refused, error.to_string())
    }
}

impl From<NetworkError> for Error {
    fn from(error: NetworkError) -> Self {
        let kind = match error {
            NetworkError::TooMany { .. } => ErrorKind::Refused,
            _ => ErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}

impl From<TimeError> for Error {
    fn from(error: TimeError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}
