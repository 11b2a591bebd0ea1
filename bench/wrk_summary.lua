-- Prints one line of JSON at the end, since wrk's own table has no 95th percentile.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'summary {"requests": %d, "microseconds": %d, "bytes": %d, "errors": %d, "p95": %d}\n',
    summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(95)))
end
