/** The records that travel between page and server: the JSON of `teachable/types.py` and `/api/v1`. */

export interface ClassInfo {
  id: string;
  name: string;
  color: string;
  position: number;
  disabled: boolean;
  samples: number;
}

export interface Project {
  id: string;
  name: string;
  created: number;
  updated: number;
  classes: ClassInfo[];
}

export interface Sample {
  id: number;
  class_id: string;
  sha256: string;
  group: string;
  width: number;
  height: number;
  created: number;
}

export interface SamplePage {
  samples: Sample[];
  total: number;
  next: number | null;
}

export interface Rejected {
  name: string;
  reason: string;
  key: string;
  values: Values;
}

export interface AddResult {
  added: Sample[];
  repeats: number;
  rejected: Rejected[];
  total: number;
}

export interface Training {
  state: "idle" | "running" | "done" | "failed" | "cancelled";
  phase: "embedding" | "testing" | "fitting" | "writing" | null;
  fraction: number;
  epoch: number;
  epochs: number;
  seconds: number;
  started: number;
  message: string | null;
}

export interface Agreement {
  agreeing: number;
  total: number;
  largest_difference: number;
}

export interface ModelStatus {
  id: string;
  created: number;
  class_ids: string[];
  samples: number;
  seconds: number;
  stale: boolean;
  checking: boolean;
  agreement: Agreement | null;
  accuracy: number | null;
  low: number | null;
  high: number | null;
  held_out: number;
  correct: number;
  unjudged: string[];
  backbone: { id: string; title: string };
}

export interface Status {
  embedding: { done: number; total: number; failed: number };
  ready: { ok: boolean; key: string | null; values: Values; message: string | null };
  training: Training;
  model: ModelStatus | null;
  updated: number;
}

/** What fills the places of a text. */
export type Values = Record<string, string | number | null | undefined>;

/** Sends an event of the component to Python. */
export type Trigger = (name: string, data?: Record<string, unknown>) => void;

/** What Python answers to Train and to changed settings; `number` tells two refusals in the same words apart. */
export type Answer = { refused: string; number: number } | null;

/** What Gradio hands to each mount. */
export interface Mount {
  element: HTMLElement;
  trigger: Trigger;
  props: { part: "header" | "classes" | "training" | "preview"; value: Answer };
  watch: (prop: string, changed: () => void) => void;
}
