/** Options with every default filled in: no field is optional, and none is undefined. */
export type Complete<Options> = { readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined> };
