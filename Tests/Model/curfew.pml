/* Curfew's protocol for one partition: two nodes A and B, a Redis, and clients that revoke. Checked exhaustively within the
 * bounds below by `Tests/Model/run`; docs/protocol.md is what it follows, names are those of Sources/CurfewCore/Feed.
 *
 * PROPERTIES. x is the one subject that is revoked. A node serves x while `now - freshAsOf <= delta` and it has not heard x.
 *   I1  Nobody serves x later than DELTA after a revoke of x was answered, whatever its mode.
 *   I2  Nobody serves x once a `wait: cluster` revoke of x returned, acknowledged or fenced. The same for who reads
 *       through to Redis: after either, whoever may read through finds x in Redis or in its own memory.
 *   I3  From every reachable state: once faults and messages end, two rounds of reconnecting, reconciling and polling make
 *       every node follow Redis' very chain up to its head, and if anybody had heard x, then Redis and every node have it.
 *   I4  `applied` takes only heads that Redis named and entries whose predecessor it is; and whenever a poll makes a node
 *       fresh, the head that this poll named is in the node's chain, and all that led to it is in force there.
 * I1 and I2 promise nothing of a revoke that Redis lost in a new term unless a node that knew it has reconciled with that Redis
 * within DELTA of the term's start (step 7 of the feed). Where nobody did, the promise is withdrawn then and not sooner
 * (`withdraw`); I3 is not. A node "knew it" if it had heard x when it read the snapshot that it reconciled with.
 *
 * TWO SEARCHES, so that each stays small. -DSERVING looks for I1 and I2, and leaves a state as soon as both nodes know x: what is
 * known is never forgotten, so neither can be violated any more. -DCONVERGENCE looks for I3 and I4, where time, membership and
 * fences play no part: nothing ages, and I4 is asked of every poll that is caught up with, fresh or not.
 * -DWITHOUT_RULE takes a rule out.
 *
 * TIME is discrete: a tick ages everything at once. Only ages that stop where they stop to matter are kept, so the number of
 * states is finite. Nodes do nothing at will, for ever or for a while: that is a paused, a slow and a dead node.
 *
 * EVENTS are numbered as they are written; the number is the tag. path[e] is the set of the tags of e and of all before it,
 * back to the beginning of its log: so a log is its head, "the log has that very entry" is one bit, a seq is a count of bits.
 *
 * ABSTRACTED
 *   - One subject. Events of all others are `noise`: they only lengthen the log. By symmetry it is A whose fence is followed:
 *     two nodes that begin alike, and after the first return for x nothing is promised by a second one. B writes x too.
 *   - A revoke of a device (or of all but one) ends x if Redis does not have x as ended. If it does, the event names nothing, and
 *     the change promises the same. That a lost index hides x from it is not modelled.
 *   - A replica is any prefix of the primary's log, chosen when it takes over, with the membership lost: the less it holds,
 *     the sooner a fence is believed.
 *   - An acknowledgement arrives at once: once given it is true for ever, and the sooner it comes the sooner a fence returns.
 *     (That it may be lost is what the polls make up for: `observe`.)
 *   - A chain goes back to its beginning. Real nodes know the tags since their last snapshot: they acknowledge less than these.
 *   - A poll brings what its node has applied when Redis runs it. A snapshot, a page of the log and a re-assertion are run by
 *     Redis and read in one step; between them anything may happen.
 *   - The log is never trimmed, nothing expires, no clock is off, nobody runs `onStale: grace`.
 *   - Split brain is outside, as in the protocol: a primary that was replaced runs nothing any more.
 */

#ifndef DELTA
#define DELTA 1        /* the staleness bound, in ticks */
#endif
#ifndef MARGIN
#define MARGIN 1
#endif
#ifndef WRITES
#define WRITES 2       /* what clients may write in all */
#endif
#ifndef FAULTS
#define FAULTS 1       /* failovers and losses of all data */
#endif
#ifndef RESTARTS
#define RESTARTS 0     /* nodes that come back with nothing in memory and another id */
#endif

#ifndef CUTS
#define CUTS 1         /* connections that end although the primary lives */
#endif

#define PATIENCE (DELTA + MARGIN)
#define NEVER (PATIENCE + 2)     /* of an age: it has not begun */

#define A 0
#define B 1
#define OTHER(n) (1 - (n))

#define EVENTS (1 + WRITES + 2 * FAULTS)    /* the first, clients', and for each fault a new first and a re-assertion */

#define BIT(e) (1 << (e))
#define HAS(set, e) (((set) >> (e)) & 1)
#define SEQ(e) (HAS(path[e], 0) + HAS(path[e], 1) + HAS(path[e], 2) + HAS(path[e], 3) + HAS(path[e], 4) + HAS(path[e], 5) \
    + HAS(path[e], 6) + HAS(path[e], 7))

/* What is compared of two entries: whether one is in the chain that ends with another; whether one follows it. */
#ifdef WITHOUT_TAGS
#define CONTAINS(chain, e) (SEQ(e) <= SEQ(chain))
#define FOLLOWS(e, chain) (SEQ(e) == SEQ(chain) + 1)
#else
#define CONTAINS(chain, e) HAS(path[chain], e)
#define FOLLOWS(e, chain) (path[e] == (path[chain] | BIT(e)))
#endif
#define REVOKES(chain) ((path[chain] & xEvents) != 0)

#ifdef WITHOUT_TERMS
#define IS_IN(n, aTerm) true
#else
#define IS_IN(n, aTerm) (known[n] == aTerm)
#endif

/* --- Redis --- */
byte path[EVENTS] = 1;
byte events = 1;                 /* how many tags were given */
byte xEvents;                         /* those of them that revoke x */
byte head;
byte term;
bool isSameReign;                /* the last term began with a FLUSHALL: reign and connections are as they were */
bool isMember[2] = true;         /* {p}:nodes has the node */
byte noted;                      /* ... and the seq of what B had applied, by its last poll that was on the chain */
byte termAge = DELTA + 1;
bool isReconciled;               /* within DELTA of the term's start a node that knew x reconciled, and yet Redis lacks it */
byte writesLeft = WRITES, faultsLeft = FAULTS, restartsLeft = RESTARTS, cutsLeft = CUTS;

/* --- nodes --- */
#define DOWN 0                   /* phase `disconnected` */
#define LOADING 1
#define REASSERTING 2
#define FOLLOWING 3
#define NO_TERM 7
byte phase[2] = FOLLOWING;
bool isLive[2] = true;           /* the connection leads to the primary of today; otherwise nothing that is sent arrives */
bool knows[2];                   /* x is in the revocation state */
byte applied[2];
byte known[2];                   /* the term that is followed, or was last */
byte joining[2];                 /* the term whose snapshot is being loaded */
byte pendingHead[2];
bool hasStray[2];                /* heard x, and it did not chain */
bool owesReconcile[2];           /* one was begun and not finished */
byte freshAge[2] = DELTA + 1;    /* since freshAsOf */
byte newcomerAge[2] = PATIENCE;  /* since the first answer in the term */
byte mail[2];                    /* events that were published and not heard yet; perhaps they never are */

#define NO_POLL 0
#define SENT 1
#define RUN 2                    /* by Redis; the reply is on its way */
#define BEHIND 3                 /* the reply is here, the log has to be read */
byte poll[2];
byte pollAge[2];                 /* since it was sent; DELTA + 1 if it can make nobody fresh */
bool pollSame[2];
byte pollHead[2];
byte pollTerm[2];

/* --- what A has watched of B, and the fence of its revoke --- */
byte watchAge = PATIENCE + 1;    /* since watchedSince */
byte countAge;                   /* since B's counter was first read as it is */
bool hasMoved;                   /* B's counter is not what A read last */
bool pollMember, pollMoved, pollMovedSince;   /* in the reply: B is a member, its counter differs; it moved after that */
byte pollNoted;

#define NO_REVOKE 0
#define WRITTEN 1                /* by Redis; the reply is on its way */
#define MADE 2                   /* the fence is made, nobody tells it anything yet */
#define WAITING 3
byte revoke;
byte revokeEvent;
bool waitsForB, isTrusted, isChained;
byte revokeAge;                  /* since the reply; since the answer of A's or B's first revoke: answerAge */
byte answerAge = NEVER;
bool hasReturned;
bool isOver;

bool isReached;
/* --- what is promised; false for the moment of the violation --- */
bool I1_holds = true, I2_holds = true, I2_holds_for_reads = true, I3_holds = true, I4_holds = true;

#define isFresh(n) (freshAge[n] <= DELTA)
#define mayServe(n) (isFresh(n) && !knows[n])
#define mayReadThrough(n) (phase[n] == FOLLOWING && isLive[n] && newcomerAge[n] >= PATIENCE && known[n] == term)
#define isAnsweredLongAgo (answerAge == DELTA + 1)
#define isLastFence (writesLeft == 0 || hasReturned && faultsLeft == 0 && termAge > DELTA)

byte pick, rounds;               /* scratch, 0 between the steps */
bool wasHeard, wasRead;

/* ------------------------------------------------------------------ Redis */

/* One write; its tag is the new head. */
inline append(by) {
    path[events] = path[head] | BIT(events);
    head = events;
    events++;
    mail[OTHER(by)] = mail[OTHER(by)] | BIT(head)
}

/* A join: what Redis has already makes no event. */
inline joinX(n) {
    if :: !REVOKES(head) -> append(n); xEvents = xEvents | BIT(head) :: else fi
}

inline newTerm() {
    term++; faultsLeft--; termAge = 0; isSameReign = false; isReconciled = false;
    isMember[A] = false; isMember[B] = false; noted = 0; hasMoved = true
}

inline loseAll() { path[events] = BIT(events); head = events; events++ }

inline breakConnections() { isLive[A] = false; isLive[B] = false }

/* ------------------------------------------------------------------ a node's feed */

inline forgetPoll(n) {
    poll[n] = NO_POLL; pollAge[n] = 0; pollSame[n] = false; pollHead[n] = 0; pollTerm[n] = 0;
    if :: n == A -> pollMember = false; pollMoved = false; pollMovedSince = false; pollNoted = 0 :: else fi
}

inline stopWatching(n) {
    if :: poll[n] == BEHIND -> forgetPoll(n) :: else fi;
    if
    :: n == A ->
        watchAge = NEVER; countAge = NEVER;
        if
#ifdef WITHOUT_WATCH_LOST
        :: revoke == WAITING
#endif
        :: revoke == MADE        /* the fence is not in the registry yet, so nobody tells it */
        :: else -> isTrusted = false
        fi
    :: else
    fi
}

inline loadAgain(n, inTerm) {
    stopWatching(n); hasStray[n] = false; joining[n] = inTerm; phase[n] = LOADING;
#ifdef WITHOUT_OWED
    owesReconcile[n] = false
#else
    owesReconcile[n] = true
#endif
}

/* A fence hears that its event stands in A's own chain. */
inline advanced(n) {
    if :: n == A && revoke >= MADE && CONTAINS(applied[A], revokeEvent) -> isChained = true :: else fi
}

/* B has heard or read what A waits for, and says so once it stands in its own chain: only that says that nothing before it is
 * missing. */
inline acknowledge() { if :: CONTAINS(applied[B], revokeEvent) -> waitsForB = false :: else fi }

/* Content is applied at once, the pointer moves only along the chain. overflows: there is no room for one more stray. */
inline hear(n, it, overflows) {
    if :: HAS(xEvents, it) -> knows[n] = true :: else fi;
#ifdef WITHOUT_ACK_CHAINED
    if :: n == B && revoke != NO_REVOKE && it == revokeEvent -> waitsForB = false :: else fi;
#endif
    if
    :: phase[n] == FOLLOWING && CONTAINS(applied[n], it)
    :: phase[n] == FOLLOWING && !CONTAINS(applied[n], it) && FOLLOWS(it, applied[n]) -> applied[n] = it; advanced(n)
    :: else ->
        if
        :: !HAS(xEvents, it)
        :: HAS(xEvents, it) && overflows && phase[n] == FOLLOWING -> loadAgain(n, known[n])
        :: HAS(xEvents, it) && overflows && phase[n] == DOWN -> owesReconcile[n] = true
        :: else -> hasStray[n] = true
        fi
    fi;
    if :: n == B && revoke != NO_REVOKE && it == revokeEvent -> acknowledge() :: else fi
}

inline connect(n) {
    isLive[n] = true; stopWatching(n);
    if
    :: known[n] != NO_TERM && (IS_IN(n, term) || (isSameReign && known[n] + 1 == term)) && !owesReconcile[n] ->
        phase[n] = FOLLOWING
    :: else -> loadAgain(n, term)
    fi
}

inline disconnect(n) {
    stopWatching(n); forgetPoll(n); phase[n] = DOWN; isLive[n] = false; joining[n] = 0; pendingHead[n] = 0
}

inline adopt(n) {
    if :: joining[n] != known[n] && poll[n] != NO_POLL -> pollAge[n] = DELTA + 1 :: else fi;
    known[n] = joining[n]; applied[n] = pendingHead[n]; joining[n] = 0; pendingHead[n] = 0;
    stopWatching(n); owesReconcile[n] = false; phase[n] = FOLLOWING
}

/* Asked of who knew x when it read the snapshot, once it has written what that lacks. */
inline noteReconciled(n) {
    if
    :: knows[n] && !REVOKES(head) && joining[n] == term && termAge <= DELTA -> isReconciled = true
    :: else
    fi
}

/* Reads head and revocations, and learns the incarnation. What this node knew and Redis does not have is written next. */
inline loadSnapshot(n) {
    pendingHead[n] = head;
    if :: isSameReign -> joining[n] = term :: else fi;
    if :: joining[n] != known[n] -> newcomerAge[n] = 0 :: else fi;
#ifdef WITHOUT_GRACE
    newcomerAge[n] = PATIENCE;
#endif
    if
#ifndef WITHOUT_REASSERT
    :: knows[n] && !REVOKES(head) -> phase[n] = REASSERTING
#endif
    :: else ->
        noteReconciled(n);
        if :: REVOKES(head) -> knows[n] = true :: else fi;
        adopt(n)
    fi
}

inline sendPoll(n) {
    poll[n] = SENT;
    if :: newcomerAge[n] >= PATIENCE -> pollAge[n] = 0 :: else -> pollAge[n] = DELTA + 1 fi
}

/* Redis counts the node up, notes what it applied, and answers. */
inline runPoll(n) {
    poll[n] = RUN; pollHead[n] = head; pollTerm[n] = term; pollSame[n] = CONTAINS(head, applied[n]);
#ifdef WITHOUT_COUNT
    isMember[n] = (n == A);
#else
    isMember[n] = true;
#endif
    if
    :: n == B ->
        hasMoved = true; pollMovedSince = (poll[A] == RUN);
#ifdef WITHOUT_CHAIN_NOTED
        noted = SEQ(applied[B])
#else
        if :: pollSame[n] -> noted = SEQ(applied[B]) :: else fi
#endif
    :: else ->
        pollMember = isMember[B]; pollMoved = hasMoved; pollMovedSince = false; pollNoted = noted
    fi
}

/* A takes over what the reply says of B. */
inline observe() {
    if
    :: !pollMember -> countAge = NEVER
    :: pollMember && (pollMoved || countAge == NEVER) -> countAge = 0
    :: else
    fi;
    hasMoved = pollMovedSince;
    if
    :: revoke == WAITING && pollNoted >= SEQ(revokeEvent) &&
        (SEQ(applied[A]) < SEQ(pollHead[A]) || CONTAINS(applied[A], pollHead[A])) -> waitsForB = false
    :: else
    fi;
    pollMember = false; pollMoved = false; pollMovedSince = false; pollNoted = 0
}

/* The head that the poll named is compared with what is applied. */
inline caughtUp(n) {
    if
#ifdef WITHOUT_CATCH_UP
    :: true ->
#else
    :: CONTAINS(applied[n], pollHead[n]) ->
#endif
        if :: n == A && watchAge == NEVER -> watchAge = 0 :: else fi;
#ifdef WITHOUT_SENT_AT
        if :: newcomerAge[n] >= PATIENCE -> pollAge[n] = 0 :: else fi;
#endif
        if :: pollAge[n] < freshAge[n] -> freshAge[n] = pollAge[n] :: else fi;
#ifdef CONVERGENCE
        I4_holds = HAS(path[applied[n]], pollHead[n]) && (knows[n] || !REVOKES(pollHead[n]));
        assert(I4_holds);
#endif
        forgetPoll(n)
    :: else -> loadAgain(n, known[n]); forgetPoll(n)
    fi
}

inline readReply(n) {
    if
    :: phase[n] == FOLLOWING && !IS_IN(n, pollTerm[n]) -> loadAgain(n, pollTerm[n]); forgetPoll(n)
    :: phase[n] == FOLLOWING && IS_IN(n, pollTerm[n]) && !pollSame[n] -> loadAgain(n, known[n]); forgetPoll(n)
    :: phase[n] == FOLLOWING && IS_IN(n, pollTerm[n]) && pollSame[n] ->
        if :: n == A -> observe() :: else fi;
        if
#ifndef WITHOUT_CATCH_UP
        :: SEQ(applied[n]) < SEQ(pollHead[n]) -> poll[n] = BEHIND; pollSame[n] = false; pollTerm[n] = 0
#endif
        :: else -> caughtUp(n)
        fi
    :: else -> forgetPoll(n)
    fi
}

/* The log from the applied entry on, which must be that very entry. */
inline readLog(n) {
    if
    :: CONTAINS(head, applied[n]) ->
        pick = 0; wasRead = false;
        do
        :: pick < EVENTS ->
            if
            :: HAS(path[head], pick) && SEQ(pick) > SEQ(applied[n]) ->
                if :: HAS(xEvents, pick) -> knows[n] = true :: else fi;
                if :: n == B && revoke != NO_REVOKE && pick == revokeEvent -> wasRead = true :: else fi
            :: else
            fi;
            pick++
        :: else -> break
        od;
        pick = 0;
        applied[n] = head;
        if :: wasRead -> acknowledge() :: else fi;
        wasRead = false; advanced(n); caughtUp(n)
    :: else -> loadAgain(n, known[n]); forgetPoll(n)
    fi
}

/* Heard late, and this Redis does not have it. */
inline writeStray(n) {
    hasStray[n] = false;
#ifndef WITHOUT_STRAYS
    joinX(n)
#endif
}

/* A new process: nothing in memory, another id, its own subscription. */
inline restart(n) {
    forget(n); mail[n] = 0; known[n] = NO_TERM; freshAge[n] = DELTA + 1; restartsLeft--;
    if :: n == A -> watchAge = NEVER; countAge = NEVER; forgetRevoke() :: else hasMoved = true fi
}

inline forget(n) {
    forgetPoll(n); isMember[n] = false; phase[n] = DOWN; isLive[n] = false; knows[n] = false; applied[n] = 0; known[n] = 0;
    joining[n] = 0; pendingHead[n] = 0; hasStray[n] = false; owesReconcile[n] = false; freshAge[n] = 0; newcomerAge[n] = 0
}

/* ------------------------------------------------------------------ clients, and the fence of A */

inline forgetRevoke() {
    revoke = NO_REVOKE; revokeEvent = 0; revokeAge = 0; waitsForB = false; isTrusted = false; isChained = false
}

inline answered() { if :: answerAge == NEVER -> answerAge = 0 :: else fi }

inline writeRevoke(by) { append(by); xEvents = xEvents | BIT(head); writesLeft-- }

/* By device, or all but one: x has ended already, so the event names nothing. The change promises all the same that x is over. */
inline writeNothingLeft(by) { append(by); writesLeft-- }

inline writeNoise(by) { append(by); writesLeft-- }

/* Redis has run the script of A's revoke, which has written its event; its reply says who is a member. */
inline beginRevoke() {
    revoke = WRITTEN; revokeEvent = head;
    waitsForB = isMember[B] && !(countAge == PATIENCE + 1 && !hasMoved);
    isTrusted = (watchAge == PATIENCE + 1 && isMember[A] && IS_IN(A, term));
#ifdef WITHOUT_ACKNOWLEDGEMENT
    waitsForB = false;
#endif
#ifdef WITHOUT_STANDSTILL
    waitsForB = isMember[B] && !(countAge != NEVER && !hasMoved);
#endif
#ifdef WITHOUT_MEMBERSHIP
    isTrusted = true;
#endif
#ifdef WITHOUT_CHAINED
    isChained = true;
#endif
}

/* The reply is read: the content is in force on A, and the wait begins. */
inline makeFence() {
#ifdef WITHOUT_SECOND_LOOK
    revoke = MADE;
#else
    revoke = WAITING;
#endif
    revokeAge = 0; answered();
    hear(A, revokeEvent, false); advanced(A)
}

/* Redis lost x, and DELTA has passed since that. Nobody who knew x has reconciled: in this term nothing is promised of what was
 * answered before. Until now it was: whoever is fresh at this moment is so by a poll of an earlier term. */
inline withdraw() {
    if :: hasReturned && (mayServe(A) || mayServe(B)) -> I2_holds = false; assert(I2_holds) :: else fi;
    if :: isAnsweredLongAgo && (mayServe(A) || mayServe(B)) -> I1_holds = false; assert(I1_holds) :: else fi;
    hasReturned = false; answerAge = NEVER; forgetRevoke()
}

/* ------------------------------------------------------------------ time */

inline grow(what, last) { if :: what < last -> what++ :: else fi }

inline ageNode(n) {
    grow(freshAge[n], DELTA + 1); grow(newcomerAge[n], PATIENCE);
    if :: poll[n] != NO_POLL -> grow(pollAge[n], DELTA + 1) :: else fi
}

inline tick() {
    ageNode(A); ageNode(B);
    grow(watchAge, PATIENCE + 1); grow(countAge, PATIENCE + 1); grow(answerAge, DELTA + 1);
    if :: revoke >= MADE -> grow(revokeAge, PATIENCE + 1) :: else fi;
    if
    :: termAge == DELTA && xEvents != 0 && !REVOKES(head) && !isReconciled -> termAge++; withdraw()
    :: else -> grow(termAge, DELTA + 1)
    fi;
    if :: termAge > DELTA -> isReconciled = false :: else fi
}

/* ------------------------------------------------------------------ once faults end */

inline settle(n) {
    if :: phase[n] == DOWN || !isLive[n] -> disconnect(n); connect(n) :: else fi;
    if :: phase[n] == LOADING -> loadSnapshot(n) :: else fi;
    if :: phase[n] == REASSERTING -> joinX(n); adopt(n) :: else fi;
    if :: hasStray[n] -> writeStray(n) :: else fi;
    forgetPoll(n); sendPoll(n); runPoll(n); readReply(n);
    if :: poll[n] == BEHIND -> readLog(n) :: else fi
}

#define isSettled(n) (phase[n] == FOLLOWING && IS_IN(n, term) && applied[n] == head)

/* Faults and messages end. */
inline calm() {
    wasHeard = knows[A] || knows[B] || REVOKES(head);
    mail[A] = 0; mail[B] = 0; forgetRevoke();
    rounds = 0;
    do
    :: rounds < 3 ->
        settle(A); settle(B);
        newcomerAge[A] = PATIENCE; newcomerAge[B] = PATIENCE; rounds++
    :: else -> break
    od;
    I3_holds = isSettled(A) && isSettled(B) && (!wasHeard || (knows[A] && knows[B] && REVOKES(head)));
    assert(I3_holds);
    finish()
}

/* One and the same state, whatever it was before: nothing can happen any more that is looked for. */
inline finish() {
    pick = 0; do :: pick < EVENTS -> path[pick] = 0; pick++ :: else -> break od; pick = 0; rounds = 0; wasHeard = false;
    events = 0; xEvents = 0; head = 0; term = 0; isSameReign = false; noted = 0; termAge = 0; hasMoved = false;
    mail[A] = 0; mail[B] = 0; writesLeft = 0; faultsLeft = 0; restartsLeft = 0; cutsLeft = 0;
    forget(A); forget(B);
    forgetRevoke(); watchAge = 0; countAge = 0; answerAge = 0; hasReturned = false; isReconciled = false; isOver = true
}

/* ------------------------------------------------------------------ what can't matter any more */

#ifdef CONVERGENCE
/* No time, no fence: all ages stand. */
inline tidy() {
    if :: isOver :: else ->
        tidyAges(A); tidyAges(B); tidyWatch(); termAge = DELTA + 1; answerAge = NEVER; noted = 0;
        if :: revoke >= MADE -> forgetRevoke() :: else fi
    fi
}
inline tidyAges(n) {
    freshAge[n] = DELTA + 1; newcomerAge[n] = PATIENCE;
    if :: poll[n] != NO_POLL -> pollAge[n] = DELTA + 1 :: else fi
}
#else
/* Whether who knows x is fresh. Who acknowledged, once only time can end the fence. Who is a member, once A revokes no more:
 * what returned can't be withdrawn after the last fault's DELTA. Everything, once both know x or nobody will. */
inline tidy() {
    if
    :: isOver
#ifndef REACH
    :: !isOver && (knows[A] && knows[B] && restartsLeft == 0 || writesLeft == 0 && xEvents == 0) -> finish()
#endif
    :: else ->
        tidyAges(A); tidyAges(B);
        if :: revoke != NO_REVOKE && !isTrusted -> tidyFence() :: else fi;
        if :: isLastFence -> tidyWatch() :: else fi;
        if :: isLastFence && !waitsForB -> noted = 0; pollNoted = 0 :: else fi
    fi
}
inline tidyAges(n) {
    if
    :: knows[n] ->
        freshAge[n] = DELTA + 1; newcomerAge[n] = PATIENCE;
        if :: poll[n] != NO_POLL -> pollAge[n] = DELTA + 1 :: else fi
    :: else
    fi
}
#endif

inline tidyFence() { waitsForB = false; isChained = false; if :: revoke >= MADE -> revokeEvent = 0 :: else fi }

inline tidyWatch() {
    watchAge = NEVER; countAge = NEVER; hasMoved = false; pollMember = false; pollMoved = false; pollMovedSince = false;
    isMember[A] = false; isMember[B] = false
}

/* ------------------------------------------------------------------ what may happen */

/* One of a set, in pick. */
inline some(set) {
    if
    :: HAS(set, 1) -> pick = 1
    :: HAS(set, 2) -> pick = 2
#if EVENTS > 3
    :: HAS(set, 3) -> pick = 3
#endif
#if EVENTS > 4
    :: HAS(set, 4) -> pick = 4
#endif
#if EVENTS > 5
    :: HAS(set, 5) -> pick = 5
#endif
#if EVENTS > 6
    :: HAS(set, 6) -> pick = 6
#endif
    fi
}

#define self _pid

active [2] proctype node() {
end:
    do
    :: d_step { !isOver && phase[self] == FOLLOWING && poll[self] == NO_POLL -> sendPoll(self); tidy(); printf("%c sends a poll\n", 'A' + self) }
    :: d_step { poll[self] == SENT && isLive[self] -> runPoll(self); tidy(); printf("%c has its poll run by Redis\n", 'A' + self) }
    :: d_step { poll[self] == RUN -> readReply(self); tidy(); printf("%c reads the reply of its poll\n", 'A' + self) }
    :: d_step { poll[self] == BEHIND && isLive[self] -> readLog(self); tidy(); printf("%c reads the log\n", 'A' + self) }
    :: d_step { poll[self] != NO_POLL -> forgetPoll(self); tidy(); printf("%c loses its poll\n", 'A' + self) }
    :: d_step { phase[self] == LOADING && isLive[self] -> loadSnapshot(self); tidy(); printf("%c loads the snapshot\n", 'A' + self) }
    :: d_step { phase[self] == REASSERTING && isLive[self] -> joinX(self); noteReconciled(self); adopt(self); tidy(); printf("%c re-asserts x\n", 'A' + self) }
    :: d_step { phase[self] == REASSERTING && isLive[self] && cutsLeft > 0 -> cutsLeft--; joinX(self); disconnect(self); tidy(); printf("%c re-asserts x, and loses its connection\n", 'A' + self) }
    :: d_step { phase[self] == FOLLOWING && isLive[self] && hasStray[self] -> writeStray(self); tidy(); printf("%c re-asserts what it heard late\n", 'A' + self) }
    :: d_step { phase[self] != DOWN && !isLive[self] -> disconnect(self); tidy(); printf("%c sees that its connection is dead\n", 'A' + self) }
    :: d_step { phase[self] != DOWN && isLive[self] && cutsLeft > 0 -> cutsLeft--; disconnect(self); tidy(); printf("%c loses its connection\n", 'A' + self) }
    :: d_step { !isOver && phase[self] == DOWN -> connect(self); tidy(); printf("%c connects\n", 'A' + self) }
    :: atomic {
        mail[self] != 0 ->
        some(mail[self]);
        if
        :: d_step { true -> mail[self] = mail[self] & ~BIT(pick); hear(self, pick, false); pick = 0; tidy(); printf("%c hears an event\n", 'A' + self) }
        :: d_step { HAS(xEvents, pick) -> mail[self] = mail[self] & ~BIT(pick); hear(self, pick, true); pick = 0; tidy(); printf("%c hears an event, and has no room for a stray\n", 'A' + self) }
        fi
    }
    :: d_step { restartsLeft > 0 -> restart(self); tidy(); printf("%c is started anew\n", 'A' + self) }
    :: d_step { phase[self] == FOLLOWING && isLive[self] && writesLeft > 0 -> writeNoise(self); hear(self, head, false); tidy(); printf("%c writes something else\n", 'A' + self) }
    od
}

active proctype clients() {
end:
    do
    :: d_step { phase[A] == FOLLOWING && isLive[A] && writesLeft > 0 && revoke == NO_REVOKE && !hasReturned -> writeRevoke(A); beginRevoke(); tidy(); printf("A revokes x\n") }
    :: d_step { phase[A] == FOLLOWING && isLive[A] && writesLeft > 0 && revoke == NO_REVOKE && !hasReturned && REVOKES(head) -> writeNothingLeft(A); beginRevoke(); tidy(); printf("A revokes the device of x, and finds nothing left\n") }
    :: d_step { revoke == WRITTEN -> makeFence(); tidy(); printf("A reads the reply of its revoke\n") }
    :: d_step { revoke == WRITTEN -> forgetRevoke(); tidy(); printf("the reply of the revoke is lost\n") }
#ifdef WITHOUT_SECOND_LOOK
    :: d_step { revoke == MADE -> revoke = WAITING; advanced(A); tidy(); printf("the fence is in the registry\n") }
#endif
    :: d_step { revoke == WAITING && isTrusted && isChained && !waitsForB -> answerAge = DELTA + 1; hasReturned = true; forgetRevoke(); tidy(); printf("the revoke returns: acknowledged\n") }
#ifdef WITHOUT_FENCE_WAIT
    :: d_step { revoke == WAITING -> answerAge = DELTA + 1; hasReturned = true; forgetRevoke(); tidy(); printf("the revoke returns: fenced, at once\n") }
#else
    :: d_step { revoke == WAITING && revokeAge == PATIENCE + 1 -> answerAge = DELTA + 1; hasReturned = true; forgetRevoke(); tidy(); printf("the revoke returns: fenced\n") }
#endif
    :: d_step { phase[B] == FOLLOWING && isLive[B] && writesLeft > 0 -> writeRevoke(B); hear(B, head, false); answered(); tidy(); printf("B revokes x, without waiting\n") }
#ifndef CONVERGENCE            /* there it is like any other write of B */
    :: d_step { phase[B] == FOLLOWING && isLive[B] && writesLeft > 0 && REVOKES(head) -> writeNothingLeft(B); hear(B, head, false); answered(); tidy(); printf("B revokes the device of x, without waiting, and finds nothing left\n") }
#endif
    :: d_step { phase[B] == FOLLOWING && isLive[B] && writesLeft > 0 -> writeRevoke(B); tidy(); printf("B revokes x, the reply is lost\n") }
    od
}

/* A replica that may be behind takes over, by another process or the same one; or all data is lost. */
active proctype redis() {
end:
    do
#ifndef CONVERGENCE
    :: d_step { !isOver -> tick(); tidy(); printf("a tick\n") }
#else
    :: d_step { !isOver -> calm() }
#endif
    :: atomic {
        faultsLeft > 0 ->
        do
        :: pick < head -> pick++
        :: HAS(path[head], pick) -> break
        od;
        if
        :: d_step { head = pick; pick = 0; newTerm(); breakConnections(); tidy(); printf("failover\n") }
        :: d_step { head = pick; pick = 0; newTerm(); tidy(); printf("failover, the connections stay\n") }
        fi
    }
    :: d_step { faultsLeft > 0 -> newTerm(); loseAll(); breakConnections(); tidy(); printf("failover to an empty Redis\n") }
    :: d_step { faultsLeft > 0 -> newTerm(); loseAll(); isSameReign = true; tidy(); printf("FLUSHALL\n") }
    od
}

/* States that the search must find, or its promises would be empty. Each is asked for with -DREACH=number. */
#if REACH == 1       /* a revoke about to return: B acknowledged */
#define REACHED (revoke == WAITING && isTrusted && isChained && !waitsForB && knows[B])
#elif REACH == 2     /* a revoke about to return: B, which has not heard, was waited out */
#define REACHED (revoke == WAITING && revokeAge == PATIENCE + 1 && !knows[B])
#elif REACH == 3     /* a revoke that waits for nobody: B is no member, or stood still for long */
#define REACHED (revoke == WRITTEN && isTrusted && !waitsForB && !knows[B])
#elif REACH == 4     /* x was written twice: re-asserted, where clients write once */
#define REACHED ((xEvents & (xEvents - 1)) != 0)
#elif REACH == 5     /* a fork: Redis' log has overtaken what B applied, with another event */
#define REACHED (!HAS(path[head], applied[B]) && SEQ(head) >= SEQ(applied[B]) && SEQ(applied[B]) > 1 && phase[B] == FOLLOWING)
#elif REACH == 6     /* B, which has not heard x, is fresh by a poll of the second term */
#define REACHED (term == 1 && termAge == DELTA + 1 && isFresh(B) && !knows[B])
#elif REACH == 7     /* in the second term a node may read through, and Redis has what was re-asserted */
#define REACHED (term == 1 && hasReturned && mayReadThrough(B) && !knows[B] && REVOKES(head))
#elif REACH == 8     /* x was lost, and nobody re-asserted it in time */
#define REACHED (term == 1 && termAge == DELTA + 1 && xEvents != 0 && !REVOKES(head))
#elif REACH == 9     /* x was heard late, and did not chain */
#define REACHED (hasStray[B] && phase[B] == FOLLOWING)
#elif REACH == 10    /* a change that found nothing left is about to return: B acknowledged, and had lost nothing before it */
#define REACHED (revoke == WAITING && isTrusted && isChained && !waitsForB && !HAS(xEvents, revokeEvent) && knows[B])
#endif

/* The promises, looked at in every state. */
active proctype promises() {
end:
    do
    :: isAnsweredLongAgo && !hasReturned && (mayServe(A) || mayServe(B)) -> d_step { I1_holds = false; assert(I1_holds) }
    :: hasReturned && (mayServe(A) || mayServe(B)) -> d_step { I2_holds = false; assert(I2_holds) }
    :: (hasReturned || isAnsweredLongAgo) && !REVOKES(head) &&
        (mayReadThrough(A) && !knows[A] || mayReadThrough(B) && !knows[B]) ->
        d_step { I2_holds_for_reads = false; assert(I2_holds_for_reads) }
#ifdef REACH
    :: REACHED -> d_step { isReached = true; assert(!isReached) }
#endif
    od
}
