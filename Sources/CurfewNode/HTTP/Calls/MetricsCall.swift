// What Prometheus scrapes.

extension Calls {
    func metrics() -> Answer {
        Answer(contentType: PrometheusText.contentType, body: Array(service.metricsText().utf8))
    }
}
