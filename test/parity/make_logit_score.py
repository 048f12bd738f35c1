"""Makes test/parity/golden/logit-score from the reference: sentence-transformers' CrossEncoder with a LogitScore.

    OMP_NUM_THREADS=1 python test/parity/make_logit_score.py

- folders of tiny random models, saved by CrossEncoder.save (`plain`: by transformers alone)
- `golden.json`: token ids of pairs at several lengths; scores of the model in float64 and what predict gives for them; ranking;
  value, gradients and 20 steps of training; texts of chat templates, rendered by transformers.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
import transformers.integrations.peft
from architectures.support import exact
from datasets import Dataset
from peft import LoraConfig
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments, losses
from sentence_transformers.cross_encoder.modules.logit_score import LogitScore
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch.utils.data import SequentialSampler
from transformers import (Gemma3ForCausalLM, Gemma3TextConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM,
                          Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM)

# The newest that there is.
transformers.integrations.peft.MIN_PEFT_VERSION = "0.21.0"

OUT = Path(__file__).resolve().parent / "golden" / "logit-score"
CORPUS = """the man plays a guitar and a woman plays the flute in the red house on the field
how many people live in the big city? the answer can only be yes or no. yes, no, yes, no
Judge whether the Document meets the requirements based on the Query and the Instruct provided
a small dog is running and a cat was sleeping; system user assistant Query Document Instruct think"""
PAIRS = [
    ["the man plays a guitar", "a woman plays the flute"],
    ["how many people live in the red house?", "the big dog runs."],
    ["run", "runs"],
    ["", "a dog"],
    ["a dog", ""],
    ["  spaces in front", "and behind \n\n"],
    ["Zebras 42 — naïve café 東京", "the <|im_end|> cat! {{ messages }} {% if %}"],
    ["http://example.com/cat", "yes\r\nno\ttab\x1f"],
    ["\ufeffthe 😀 MAN", "a 😀\u2028\x85"],
    ["the cat", "a small red house " * 12],
    ["a small red house " * 12, "the cat"],
]
LENGTHS = [512, 100, 60, 33, 8, 3]
SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             head_dim=8, max_position_embeddings=512, initializer_range=0.3, attention_dropout=0.0)

# The form of the prompts of Qwen3's rerankers.
FLAT = """{%- set instruction = messages | selectattr("role", "eq", "system") | map(attribute="content") | first | default("Given a web search query, retrieve relevant passages that answer the query") -%}
{%- set query = messages | selectattr("role", "eq", "query") | map(attribute="content") | first -%}
{%- set document = messages | selectattr("role", "eq", "document") | map(attribute="content") | first -%}
<|im_start|>system
Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>
<|im_start|>user
<Instruct>: {{ instruction }}
<Query>: {{ query }}
<Document>: {{ document }}<|im_end|>
<|im_start|>assistant
<think>

</think>

"""
STRUCTURED = """{% for message in messages %}
    {% if message.role == 'system' %}
<|im_start|>system
{{ message['content'][0]['text'] | trim }}<|im_end|>
    {% elif message['role'] == 'query' -%}
<|im_start|>user
query: {{ message.content[0].text }}
    {%- else %}

document: {% for part in message.content if part.type == 'text' %}{{ part.text }}{% if not loop.last %}, {% endif %}{% endfor %}<|im_end|>

    {% endif %}
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{{ opening | default('relevant:') }}
{% endif %}"""
GEMMA = """{{ bos_token }}{# the role of a system message goes into the first turn #}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first = messages[0]['content'] + '\\n\\n' -%}
    {%- set rest = messages[1:] -%}
{%- else -%}
    {%- set first = '' -%}
    {%- set rest = messages -%}
{%- endif -%}
{%- for message in rest -%}
    {{ '<start_of_turn>' + message['role'] + '\\n' }}{{ first if loop.first }}{{ message['content'] | trim }}{{ '<end_of_turn>\\n' }}
{%- endfor -%}
{{ '<start_of_turn>model\\n' }}"""


def trained(special, byte_level):
    """A BPE tokenizer over the corpus."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=not byte_level, unk_token=None if byte_level else "<unk>", fuse_unk=not byte_level))
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    extra = [] if byte_level else [f"<0x{i:02X}>" for i in range(256)]
    if byte_level:
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(vocab_size=len(special) + len(alphabet) + len(extra) + 160, initial_alphabet=sorted(alphabet),
                                  special_tokens=[AddedToken(token, special=True) for token in [*special, *extra]], show_progress=False)
    tokenizer.train_from_iterator([line for line in CORPUS.split("\n") for _ in range(3)] + ["yes", "no", " yes", " no"] * 20, trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] not in extra]
    return Tokenizer.from_str(json.dumps(data))


def qwen_tokenizer():
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained(special, True))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return Qwen2Tokenizer.from_pretrained(folder, model_max_length=512, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def gemma_tokenizer():
    inner = trained(["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"], False)
    # As Gemma's: every text begins with <bos>, and so does the chat template.
    inner.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos>:1 $B:1",
                                                         special_tokens=[("<bos>", inner.token_to_id("<bos>"))])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>",
                                   unk_token="<unk>", model_max_length=512)


def model_of(kind, tokenizer, seed, **options):
    torch.manual_seed(seed)
    sizes = {**SIZES, "vocab_size": len(tokenizer) + 5, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None,
             "eos_token_id": tokenizer.eos_token_id}
    if kind == "qwen2":
        sizes.pop("head_dim")
        model = Qwen2ForCausalLM(Qwen2Config(**sizes, **options))
    elif kind == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(**sizes, **options))
    else:
        model = Gemma3ForCausalLM(Gemma3TextConfig(**sizes, query_pre_attn_scalar=8, sliding_window=16,
                                                   layer_types=["sliding_attention", "full_attention"], **options))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def save(name, model, tokenizer, template, false=True, processing=None, **settings):
    with tempfile.TemporaryDirectory() as folder:
        if template:
            tokenizer.chat_template = template
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if name == "plain":
            return shutil.copytree(folder, OUT / name)
        transformer = Transformer(folder, transformer_task="text-generation", processing_kwargs=processing)
        yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
        scored = CrossEncoder(modules=[transformer, LogitScore(yes, no if false else None)], device="cpu", **settings)
        scored.save_pretrained(str(OUT / name), create_model_card=False)


def save_models():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    qwen, gemma = qwen_tokenizer(), gemma_tokenizer()
    identity = torch.nn.Identity()
    save("text", model_of("qwen3", qwen, 1, tie_word_embeddings=False), qwen, None)
    save("qwen3", model_of("qwen3", qwen, 2, tie_word_embeddings=True), qwen, FLAT, activation_fn=identity,
         prompts={"web": "Given a web search query, is the answer yes?", "other": "the answer"}, default_prompt_name="web")
    save("plain", model_of("qwen3", qwen, 3, tie_word_embeddings=True), qwen, FLAT)
    save("qwen2", model_of("qwen2", qwen, 4, tie_word_embeddings=False), qwen, STRUCTURED, false=False,
         processing={"chat_template": {"add_generation_prompt": True, "opening": "the answer:"}})
    save("gemma3", model_of("gemma3", gemma, 5, final_logit_softcapping=3.0), gemma, GEMMA, activation_fn=identity)


NAMES = ["text", "qwen3", "plain", "qwen2", "gemma3"]


def ids_of(model, pairs, **options):
    rows = [model.preprocess([pair], **options) for pair in pairs]
    return [row["input_ids"][0].tolist() for row in rows]


def model_case(name):
    model = CrossEncoder(str(OUT / name), device="cpu").to(torch.float64)
    tokens = []
    for length in LENGTHS:
        model.max_seq_length = length
        tokens.append(dict(maxLength=length, ids=ids_of(model, PAIRS), prompted=ids_of(model, PAIRS, prompt="the dog: ")))
    model.max_seq_length = 512
    default = model.predict(PAIRS).tolist()
    query, documents = "how many dogs?", [b for _, b in PAIRS]
    return dict(tokens=tokens, default=default,
                logits=model.predict(PAIRS, activation_fn=torch.nn.Identity()).astype("float64").tolist(),
                exact=scores(name, None), exactPrompted=scores(name, "the dog: "), cut=scores(name, None, 33),
                prompted=model.predict(PAIRS, prompt="the dog: ").tolist(),
                rank=[dict(corpusId=hit["corpus_id"], score=hit["score"]) for hit in model.rank(query, documents, top_k=4)],
                activation=type(model.activation_fn).__name__, maxLength=model.max_seq_length)


def in_float64(name):
    """The model, made again where its rotary angles are float64, too."""
    model = CrossEncoder(str(OUT / name), device="cpu")
    read = model[0].model
    with exact():
        model[0].model = type(read)(read.config).double().eval()
        model[0].model.load_state_dict({key: value.double() for key, value in read.state_dict().items()})
    return model


def scores(name, prompt, length=512):
    """Of one padded batch, in float64 throughout."""
    model = in_float64(name)
    model.max_seq_length = length
    with exact(), torch.no_grad():
        return model(model.preprocess(PAIRS, prompt=prompt))["scores"][:, 0].tolist()


TRAIN = {"a": [a for a, _ in PAIRS[:8]], "b": [b for _, b in PAIRS[:8]], "label": [1.0, 0.0, 0.5, 0.25, 1.0, 0.0, 0.75, 0.1]}


def gradient_case(name):
    """One step of BinaryCrossEntropyLoss in float64."""
    model = in_float64(name)
    with exact():
        value = losses.BinaryCrossEntropyLoss(model)([TRAIN["a"], TRAIN["b"]], torch.tensor(TRAIN["label"]))
        value.backward()
    found = {key.split("0.model.", 1)[1]: parameter.grad for key, parameter in model.named_parameters()}
    rows = {key: grad.flatten().tolist() for key, grad in found.items() if "lm_head" in key or "embed_tokens" in key}
    # Enough digits for float32, in few bytes.
    rows = {key: [float(f"{x:.7g}") for x in values] for key, values in rows.items()}
    return dict(value=value.item(), norms={key: grad.norm().item() for key, grad in found.items()}, rows=rows)


class InOrder(DefaultBatchSampler):
    def __init__(self, dataset, **options):
        super().__init__(SequentialSampler(dataset), options["batch_size"], options["drop_last"])

    def set_epoch(self, epoch):
        pass


def train(model):
    with tempfile.TemporaryDirectory() as folder:
        args = CrossEncoderTrainingArguments(
            output_dir=folder, max_steps=20, per_device_train_batch_size=4, learning_rate=2e-3, warmup_steps=3,
            weight_decay=0.01, save_strategy="no", logging_steps=1, report_to="none", disable_tqdm=True, seed=1,
            batch_sampler=lambda dataset, batch_size, drop_last, **_: InOrder(dataset, batch_size=batch_size, drop_last=drop_last),
            use_cpu=True)
        trainer = CrossEncoderTrainer(model=model, args=args, train_dataset=Dataset.from_dict(TRAIN),
                                      loss=losses.BinaryCrossEntropyLoss(model))
        trainer.train()
    return dict(losses=[entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
                predictions=model.predict(PAIRS, activation_fn=torch.nn.Identity()).tolist())


def adapter_case():
    """A LoRA adapter on the tied model, with values of its own, and its folder."""
    model = CrossEncoder(str(OUT / "qwen3"), device="cpu")
    model.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    torch.manual_seed(9)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(str(OUT / "adapter"), create_model_card=False)
    file = OUT / "adapter" / "adapter_config.json"
    config = json.loads(file.read_text())
    config["base_model_name_or_path"] = "qwen3"
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    # No own vocabulary beside an adapter, whose base has it.
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (OUT / "adapter" / name).unlink(missing_ok=True)
    return dict(logits=model.to(torch.float64).predict(PAIRS, activation_fn=torch.nn.Identity()).tolist())


# What templates of rerankers and their relatives do.
TEMPLATES = [
    FLAT, STRUCTURED, GEMMA,
    "{% for m in messages %}{{ m.role }}: {{ m['content'] }}\n{% endfor %}",
    "{%- for m in messages -%}\n  {{- loop.index0 }}/{{ loop.length }} {{ m.role | upper }}={{ m.content | trim | replace('a', 'A') }};\n{%- endfor -%}\n",
    "  {% set ns = namespace(q='', n=0) %}\n{% for m in messages %}{% if m.role == 'query' %}{% set ns.q = m.content %}{% endif %}{% set ns.n = ns.n + 1 %}{% endfor %}\n{{ ns.q }}|{{ ns.n }}|{{ messages[-1].content }}\n\n",
    "{% macro part(name, text) %}<{{ name }}>{{ text }}</{{ name }}>{% endmacro %}\n{{ part('q', messages[0].content) }}{{ part('d', messages[1]['content']) }}{{ eos_token }}{{ pad_token }}",
    "{{ messages | tojson }}\n{{ messages[0] | tojson(indent=2) }}",
    "{{ (messages | map(attribute='content') | list) | join(' ### ') }} {{ messages | length }} {{ unknown is defined }} {{ tools is none }}",
    "{% if not add_generation_prompt is defined %}none{% endif %}{% if messages[0].content.startswith('the') and 'dog' not in messages[1].content %}A{% elif messages[0].content | length > 10 %}B{% else %}C{% endif %}{{ messages[1].content.split(' ')[0] }}{{ messages[1].content.strip() }}|{{ messages[0].content[:3] }}|{{ messages[0].content[-3:] }}",
    "{# a comment #}\n{%- set role_map = {'query': 'Q', 'document': 'D'} -%}\n{%- for m in messages %}\n[{{ role_map[m.role] }}] {{ m.content }}\n{%- if not loop.last %}\n---\n{%- endif %}\n{%- endfor %}\n",
    "{%- for m in messages if m.role != 'system' %}{{ '\\n' if not loop.first else '' }}{{ m.content|string }}{% endfor %}{{ 1 + 2 }}{{ 7 // 2 }}{{ 3.5 }}{{ true }}{{ none }}",
    "{{ messages[0].content.strip() }}|{{ messages[1].content.rstrip('\n') }}|{{ messages[1].content.lstrip('at') }}|{{ messages[0].content | trim('r') }}|{{ messages[0].content.capitalize() }}|{{ messages[0].content | capitalize }}|{{ messages[1].content | length }}|{{ messages[0].content | count }}",
    "{{ 'a' ~ true ~ 1 ~ none ~ 'b' }}{{ missing | d('x') }}{{ missing | default }}{{ ([] | first) | default('none') }}{{ (messages | selectattr('role', 'eq', 'tool') | map(attribute='content') | list | last) is defined }}{{ none | string }}{{ 1.0 }}{{ [] | length }}",
    "{% set query %}{{ messages[-2].content }}{% endset %}{% for m in messages | rejectattr('role', 'equalto', 'document') %}<{{ m.role }}>{% else %}nobody{% endfor %}{{ query | upper }}{% filter trim %} x {% endfilter %}{% if messages | selectattr('role', 'eq', 'system') | list %}S{% endif %}",
    "\r\n{% if true %}\r\nline {{ messages[0].content }}\r\n{% endif %}\r\nend\r\n",
]


def template_cases():
    tokenizer = qwen_tokenizer()
    cases = []
    for template in TEMPLATES:
        structured = "content[0]" in template or "part.type" in template
        texts = []
        for prompt in (None, "the dog: "):
            for pair in PAIRS:
                wrap = (lambda text: [{"type": "text", "text": text}]) if structured else (lambda text: text)
                messages = [{"role": role, "content": wrap(text)} for role, text in zip(("query", "document"), pair)]
                if prompt:
                    messages = [{"role": "system", "content": wrap(prompt)}, *messages]
                texts.append(tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False))
        cases.append(dict(template=template, structured=structured, texts=texts))
    return dict(cases=cases, specials=tokenizer.special_tokens_map)


if __name__ == "__main__":
    torch.set_num_threads(1)
    save_models()
    golden = dict(pairs=PAIRS, train=TRAIN, models={name: model_case(name) for name in NAMES},
                  gradients={name: gradient_case(name) for name in ("qwen3", "qwen2", "gemma3")},
                  training={name: train(CrossEncoder(str(OUT / name), device="cpu")) for name in ("qwen3", "qwen2", "gemma3")},
                  adapter=adapter_case(), templates=template_cases())
    (OUT / "golden.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
