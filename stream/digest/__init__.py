"""CloudTrail's own proof of its log files: digest files, signed and chained to one another.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-intro.html
"""
