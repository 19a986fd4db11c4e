-- Entries of the audit log, whole or not at all: readers take a number below one that they have seen for one that they have seen.
-- KEYS[1] the stream. ARGV[1] about how many it keeps, ARGV[2] the node, ARGV[3…] pairs of number and line.

for i = 3, #ARGV, 2 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'n', ARGV[2], 'i', ARGV[i], 'j', ARGV[i + 1])
end
return (#ARGV - 2) / 2
