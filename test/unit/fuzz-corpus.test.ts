import { corpusTests } from '../fuzz/corpus.js'

corpusTests('safetensors', 'tokenizer', 'dataset', 'parquet', 'hub')
