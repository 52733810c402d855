"""Generated from protos/authsvc/v1 by `make proto`: do not edit."""
