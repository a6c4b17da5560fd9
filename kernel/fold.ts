// Rows that are what their events say. Each such table declares of all its columns whether events tell them.

/** What a column holds as an event tells it; an instant is ISO 8601. */
export type Told = string | number | boolean | null;

/** Why no event tells a column, for whoever builds on events. */
export interface LeftOut {
  readonly because: string;
}

/** Of each column of a table: events tell it, they tell the vendor's word in it as a code, or why they do not tell it. */
export type Columns = Readonly<Record<string, 'told' | 'told_as_code' | LeftOut>>;

/** A row as its events tell it: the columns that are not left out. */
export type ToldRow<Declared extends Columns> = {
  readonly [Name in keyof Declared as Declared[Name] extends string ? Name : never]: Told;
};

/** Declares that no event tells a column. */
export const leftOut = (because: string): LeftOut => ({ because });
