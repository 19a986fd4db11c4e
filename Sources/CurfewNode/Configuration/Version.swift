// The one place that says which version this is.

/// `curfew --version`, and `version` in `GET /v1/cluster`.
package let curfewVersion = "0.1.0"
