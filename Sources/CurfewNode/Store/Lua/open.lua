-- The head that a snapshot begins with; creates the log where there is none.
-- Answers: seq, tag, incarnation, mark, longest lifetime, seconds, microseconds.

local head = open_head()
return { integer(head.seq), head.tag, head.inc, integer(head.mark), integer(head.ttl), time[1], time[2] }
