/** The records that travel between page and server: the JSON of `teachable/types.py` and `/api/v1`. */

export interface ClassInfo {
  id: string;
  name: string;
  color: string;
  position: number;
  disabled: boolean;
  samples: number;
  tests: number;
}

export interface Project {
  id: string;
  name: string;
  created: number;
  updated: number;
  classes: ClassInfo[];
  unknown_below: number;
  undo: Change | null;
  redo: Change | null;
}

/** Something that can be taken back, or done again. */
export interface Change {
  token: string;
  text: string;
  created: number;
}

/** One training that is kept. */
export interface Version {
  id: string;
  number: number;
  name: string | null;
  created: number;
  network: string;
  samples: number;
  classes: { name: string; color: string; photos: number | null }[];
  accuracy: number | null;
  low: number | null;
  high: number | null;
  judged: number;
  bytes: number;
  restorable: boolean;
}

export interface Versions {
  current: string | null;
  versions: Version[];
}

/** What came of going back to a version. */
export interface Restored {
  undo: string;
  gone: number;
  text: string;
  project: Project;
}

export interface VersionSide {
  id: string;
  correct: number;
  accuracy: number | null;
  low: number | null;
  high: number | null;
}

/** Two versions on the same photos, which neither was trained on. */
export interface Compared {
  way: "test" | "unseen" | "held_out" | "none";
  photos: number;
  recordings: number;
  first: VersionSide;
  second: VersionSide;
  better: string | null;
  classes: { id: string; name: string; color: string; total: number; first: number; second: number }[];
  apart: { sample: number; given: string; first: string; second: string }[];
  about: string;
  verdict: string;
  notes: string[];
}

export interface Sample {
  id: number;
  class_id: string;
  sha256: string;
  group: string;
  width: number;
  height: number;
  created: number;
  test: boolean;
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
  phase: "embedding" | "comparing" | "testing" | "fitting" | "writing" | null;
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

/** Held-out photos named correctly, and what that says. */
export interface Score {
  accuracy: number;
  low: number;
  high: number;
  held_out: number;
  correct: number;
}

export interface Before extends Score {
  backbone: { id: string; title: string };
}

export interface Offer {
  id: string;
  title: string;
  seconds: number | null;
  retrain: boolean;
}

export interface NetworkStatus {
  id: string;
  title: string;
  fingerprint: string;
  present: boolean;
  renewed: boolean;
  offer: Offer | null;
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
  merged: string[];
  backbone: { id: string; title: string };
  other_network: boolean;
  before: Before | null;
  familiar: number;
  view: number | null;
}

export interface Status {
  embedding: { done: number; total: number; failed: number };
  ready: { ok: boolean; key: string | null; values: Values; message: string | null };
  training: Training;
  model: ModelStatus | null;
  network: NetworkStatus;
  updated: number;
}

export interface NetworkInfo {
  id: string;
  title: string;
  description: string;
  origin: "builtin" | "official" | "imported";
  recommended: boolean;
  present: boolean;
  fingerprint: string | null;
  download_bytes: number;
  size_bytes: number;
  embedding_width: number;
  input_size: number;
  accuracy: number | null;
  native_factor: number | null;
  browser_factor: number | null;
  native_ms: number | null;
  browser_ms: number | null;
  licence: string;
  source: string;
  file: string;
}

export interface Installation {
  state: "idle" | "waiting" | "fetching" | "converting" | "done" | "failed" | "cancelled";
  id: string | null;
  title: string | null;
  done: number;
  total: number;
  automatic: boolean;
  key: string | null;
  message: string | null;
  started: number;
}

export interface Networks {
  networks: NetworkInfo[];
  installation: Installation;
  offline: boolean;
  automatic: boolean;
  recommended: string;
}

export interface ComparisonRow {
  id: string;
  title: string;
  accuracy: number | null;
  low: number | null;
  high: number | null;
  correct: number;
  held_out: number;
  native_ms: number | null;
  browser_ms: number | null;
  size_bytes: number;
  in_use: boolean;
  reason: string | null;
}

export interface Comparison {
  state: "idle" | "running" | "done" | "failed" | "cancelled";
  fraction: number;
  current: string | null;
  photos: number;
  available: number;
  held_out: number;
  unjudged: string[];
  rows: ComparisonRow[];
  advice: string | null;
  key: string | null;
  message: string | null;
}

/** What running an exported file over photos showed. */
export interface Check {
  agreeing: number;
  total: number;
  same_class: number;
  largest_difference: number;
  held_out: number;
  correct: number | null;
  correct_full: number | null;
}

/** One file that can be taken away, and how it stands. */
export interface Made {
  id: string;
  title: string;
  file: string;
  quick: boolean;
  state: "none" | "waiting" | "running" | "done" | "refused" | "failed" | "cancelled";
  fraction: number;
  size_bytes: number | null;
  seconds: number | null;
  check: Check | null;
  ran: boolean | null;
  held_out: boolean;
  loses: boolean;
  key: string | null;
  message: string | null;
}

export interface Format {
  id: string;
  title: string;
  about: string;
  media_type: string;
  extra: string | null;
  command: string | null;
  fits: boolean;
  variants: Made[];
}

export interface Exports {
  model: string | null;
  stale: boolean;
  checking: boolean;
  formats: Format[];
}

/** A whole program that uses the model. */
export interface Program {
  id: string;
  title: string;
  about: string;
  language: string;
  file: string;
  install: string;
  code: string;
  tested: boolean;
}

/** Where a phone in the same network finds the offline page; `qr` is the same address as an SVG picture. */
export interface PhoneLink {
  address: string;
  qr: string;
}

/** How many of how many, and what that says about all others. */
export interface Share {
  correct: number;
  total: number;
  share: number | null;
  low: number | null;
  high: number | null;
}

export interface ClassReport {
  id: string;
  name: string;
  color: string;
  samples: number;
  recordings: number;
  judged: boolean;
  recall: Share;
  precision: number | null;
  f1: number | null;
  advice: string;
}

/** What one click does about a finding. */
export interface Action {
  kind: "move" | "delete" | "test" | "record";
  text: string;
  class_id: string | null;
  samples: number[];
}

export interface Finding {
  id: string;
  kind: string;
  title: string;
  text: string;
  class_ids: string[];
  samples: number[];
  actions: Action[];
}

export interface TestReport {
  score: Share;
  per_class: [string, Share][];
  confusion: number[][];
  leaking: number;
  text: string;
}

/** Everything that is known about a model. */
export interface Report {
  state: "none" | "running" | "done" | "failed" | "cancelled";
  fraction: number;
  message: string | null;
  model: string | null;
  trained: number;
  stale: boolean;
  project: string;
  network: string;
  samples: number;
  recordings: number;
  classes: ClassReport[];
  classes_text: string;
  accuracy: Share;
  headline: string;
  method: string;
  random_split: Share | null;
  random_text: string;
  confusion: number[][];
  calibration: object | null;
  calibration_text: string;
  test: TestReport | null;
  learning: object | null;
  learning_text: string;
  findings: Finding[];
  more_findings: number;
  unknown: string;
  limits: string[];
}

/** One photo and what it was named by a model that saw none of its recording. */
export interface TestedPhoto {
  id: number;
  given: string;
  said: string;
  probability: number;
  given_probability: number;
  present: boolean;
}

export interface TestedPhotos {
  photos: TestedPhoto[];
  total: number;
}

/** The photos as points, near each other where the network finds them alike; column by column. */
export interface SampleMap {
  method: "pca" | "umap";
  explained: number | null;
  samples: number[];
  classes: number[];
  x: number[];
  y: number[];
  class_ids: string[];
  umap: boolean;
  command: string;
  ready: boolean;
}

/** What Python puts below a curve. */
export interface Figure {
  text: string;
  headers: string[];
  rows: string[][];
}

/** One project on the page of all projects; `covers` are samples of different classes. */
export interface ShelfProject {
  project: Project;
  covers: number[];
  bytes: number | null;
}

/** A deleted project that can still be restored. */
export interface Binned {
  id: string;
  name: string;
  deleted: number;
  photos: number;
  bytes: number;
}

export interface Shelf {
  projects: ShelfProject[];
  damaged: { id: string; message: string }[];
  bin: Binned[];
  bytes: number;
  free: number;
  days: number;
}

/** Bytes that a project takes up, by what they are for. */
export interface Storage {
  photos: number;
  removed: number;
  versions: number;
  caches: number;
  total: number;
}

export interface PlannedClass {
  key: string;
  name: string;
  photos: number;
  groups: number;
  bytes: number | null;
  previews: number[];
  tests: number;
  seconds: number;
}

/** What a file would become, before anything is written. */
export interface ImportPlan {
  kind: "teachable-machine" | "folder" | "imagefolder" | "video" | "animation" | "project";
  title: string | null;
  classes: PlannedClass[];
  settings: { epochs: number; batch_size: number; learning_rate: number } | null;
  skipped: Rejected[];
  skipped_total: number;
  notes: { key: string; values: Values; text?: string }[];
  options: ("unmirror" | "rate" | "independent")[];
  seconds: number | null;
}

/** A file that becomes photos or a project. */
export interface Import {
  id: string;
  state: "reading" | "planned" | "waiting" | "running" | "paused" | "done" | "failed" | "cancelled";
  plan: ImportPlan | null;
  project: string | null;
  fraction: number;
  done: number;
  total: number;
  added: number;
  repeats: number;
  rejected: Rejected[];
  rejected_total: number;
  message: string | null;
  undo: string | null;
  /** Photos the project it was sent for can still take, while it is planned. */
  room: number | null;
}

/** What a person chose about a plan. */
export interface ImportChoices {
  project: string | null;
  classes: { key: string; into: string | null; name: string }[];
  unmirror: string[];
  rate: number;
  settings: boolean;
  independent: boolean;
}

/** What fills the places of a text. */
export type Values = Record<string, string | number | null | undefined>;

/** Sends an event of the component to Python. */
export type Trigger = (name: string, data?: Record<string, unknown>) => void;

/** What Python answers to Train and to changed settings; `number` tells two refusals in the same words apart. */
export type Answer = { refused: string; number: number } | null;

/** Whose settings Gradio's fields show, and the number of the question that this answers. */
export type Shown = { project: string; number: number } | null;

/** What Gradio hands to each mount. */
export interface Mount {
  element: HTMLElement;
  trigger: Trigger;
  props: { part: "header" | "classes" | "training" | "preview" | "network" | "report" | "figure" | "more"; name: string | null; value: Answer | Shown | Figure };
  watch: (prop: string, changed: () => void) => void;
}
