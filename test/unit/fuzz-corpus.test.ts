import { corpusTests } from '../fuzz/corpus.js'

corpusTests('safetensors', 'torch', 'tokenizer', 'dataset', 'parquet', 'hub')
