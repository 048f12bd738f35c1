/**
 * What a model's files call its tensors: from the engine's names, those of blocks among them, to names without the prefix under
 * which a file keeps the transformer.
 */
export type StoredNames = ReadonlyMap<string, string>
