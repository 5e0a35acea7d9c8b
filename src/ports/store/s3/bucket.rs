//! Making the bucket itself.

use super::S3;
use super::error::{Doing, failed_code};
use crate::error::Result;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

/// Amazon's first region is the only one that must not be named.
const UNNAMED: &str = "us-east-1";

impl S3 {
    /// Makes the bucket, in the region of the settings; one that is ours already stays as it is.
    pub(in crate::ports::store) async fn make_bucket(&self) -> Result<()> {
        let region = self.client.config().region().map(ToString::to_string);
        let named = region.filter(|r| self.endpoint.is_none() && r != UNNAMED);
        let place = named.map(|region| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region.as_str()))
                .build()
        });
        let asked = self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .set_create_bucket_configuration(place);
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(e) => match failed_code(&e).as_deref() {
                Some("BucketAlreadyOwnedByYou") => Ok(()),
                _ => Err(self.failed(e, Doing::Write)),
            },
        }
    }
}
