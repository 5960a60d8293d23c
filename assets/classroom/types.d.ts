/** The records of `/api/v1/room`, as a page gets them. */

/** What anybody may know of the room, and what the asking browser is in it. */
export interface Me {
  classroom: boolean;
  name: string;
  open: boolean;
  teacher: boolean;
  visitor: Visitor | null;
  /** The place they want back, where the teacher has not said yes. */
  claim: { name: string; state: "waiting" | "refused" } | null;
}

export interface Visitor {
  id: string;
  name: string;
  project: string;
  locked: boolean;
  hand: boolean;
  starter: { name: string } | null;
  limits: { photos: number; bytes: number; projects: number };
  photos: number;
  bytes: number;
}

/** One visitor as the teacher sees them. */
export interface Pupil {
  id: string;
  name: string;
  project: string | null;
  photos: number;
  classes: number;
  accuracy: number | null;
  judged: number;
  learned: number;
  state: "idle" | "working" | "training";
  last_seen: number;
  online: boolean;
  covers: number[];
  locked: boolean;
  hand: boolean;
  problem: string | null;
}

/** Somebody who wants a place back, as the teacher sees it. */
export interface Claim {
  id: string;
  name: string;
  visitor: string;
  asked: number;
}

/** What became of joining; `project` is null while the teacher is asked. */
export interface Joined {
  project: string | null;
  waiting: boolean;
}

/** Somebody of the name that was typed is in already: who it may be, and what somebody else would be called. */
export interface Known {
  names: string[];
  otherwise: string;
}

export interface Room {
  name: string;
  address: string;
  qr: string;
  open: boolean;
  locked: boolean;
  starter: { project: string; name: string } | null;
  visitors: Pupil[];
  claims: Claim[];
}
