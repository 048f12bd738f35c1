// Adapters, and the places of parameters that are not trained.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/device.h"
#include "core/error.h"
#include "engine/network.h"
#include "layers/low_rank.h"
#include "models/initial.h"

namespace st {

namespace {

// Of the dropout of adapters: behind those of encoders (from 0) and decoders (from 32,768), below 65,536.
constexpr uint32_t kFirstSite = 49152;
constexpr size_t kMostTargets = 16384;

std::string without_weight(const std::string& name) {
  constexpr std::string_view kEnd = ".weight";
  return name.ends_with(kEnd) ? name.substr(0, name.size() - kEnd.size()) : name;
}

std::string prefix_of(const std::string& adapter) {
  return "adapter." + adapter + ".";
}

// A target, and the rows of the matrix that it means.
struct Place {
  const AdapterSpec::Target* target;
  Layout::MatrixRows rows;
};

// In the order of the layout.
std::vector<Place> places_of(const Layout& layout, const AdapterSpec& adapter) {
  std::vector<Place> out;
  for (const AdapterSpec::Target& target : adapter.targets) {
    check(target.name.starts_with("0."), "ERR_INVALID_ARGUMENT", "Expected a tensor of the transformer but found ",
          target.name);
    check(target.rank >= 1, "ERR_INVALID_ARGUMENT", "Expected a rank of at least 1 for ", target.name, " but found ",
          target.rank);
    const Layout::MatrixRows rows = layout.rows_of(target.name);
    check(rows.linear, "ERR_NOT_IMPLEMENTED", "An adapter for ", target.name,
          " is not built: only linear layers have adapters");
    out.push_back({&target, rows});
  }
  std::sort(out.begin(), out.end(), [](const Place& a, const Place& b) {
    return a.rows.block != b.rows.block ? a.rows.block < b.rows.block : a.rows.begin < b.rows.begin;
  });
  for (size_t i = 1; i < out.size(); ++i) {
    const Layout::MatrixRows &before = out[i - 1].rows, &after = out[i].rows;
    check(before.block != after.block || before.begin + before.count <= after.begin, "ERR_INVALID_ARGUMENT", "Adapter ",
          adapter.name, " has ", out[i - 1].target->name, " and ", out[i].target->name, ", which are the same weights");
  }
  return out;
}

}  // namespace

// Adds A and B of all targets. Returns what they add, by matrix.
std::map<ParamId, LowRank> Network::add_to(Layout& layout, const AdapterSpec& adapter, bool active) const {
  std::map<ParamId, LowRank> out;
  const std::vector<Place> places = places_of(layout, adapter);
  uint32_t site = kFirstSite;
  for (auto first = places.begin(); first != places.end();) {
    const ParamId block = first->rows.block;
    const auto end = std::find_if(first, places.end(), [&](const Place& place) { return place.rows.block != block; });
    const Group group = active && bare_.group(block) != Group::kFrozen ? Group::kDecay : Group::kFrozen;
    const auto name = [&](const Place& place, const char* factor) {
      return prefix_of(adapter.name) + without_weight(place.target->name) + factor;
    };
    LowRank low{.a = -1, .rank = 0, .dropout = adapter.dropout, .parts = {}};
    std::vector<Layout::Part> of_a;
    for (auto place = first; place != end; ++place) {
      of_a.push_back({name(*place, ".lora_A.weight"), {place->target->rank, place->rows.columns}});
    }
    low.a = layout.add_fused(of_a, group);
    for (auto place = first; place != end; ++place) {
      const int64_t rank = place->target->rank;
      const double divisor = static_cast<double>(rank);
      const double scale = place->target->alpha / (adapter.rank_stabilized ? std::sqrt(divisor) : divisor);
      check(std::isfinite(static_cast<float>(scale)), "ERR_INVALID_ARGUMENT", "Expected a smaller alpha than ",
            place->target->alpha, " for ", place->target->name);
      const ParamId b = layout.add(name(*place, ".lora_B.weight"), {place->rows.count, rank}, group);
      low.parts.push_back({place->rows.begin, place->rows.count, low.rank, rank, b, scale, site++});
      low.rank += rank;
    }
    out[block] = low;
    first = end;
  }
  return out;
}

bool Network::can_be_halved(const TensorInfo& info) const {
  const ParamId id = bare_.block_of(info.name);
  const auto& heads = bare_head_parameters_;
  if (std::find(heads.begin(), heads.end(), id) != heads.end()) return false;
  return info.linear || id == parameters_.token_table || (rows_ && rows_->matrix == id);
}

Layout Network::without_adapters() const {
  Layout next = bare_;
  next.reopen();
  const bool halves = parse_dtype(spec_.dtype) == at::kBFloat16;
  for (const TensorInfo& info : bare_.tensors()) {
    if (!info.name.starts_with("0.")) continue;
    const bool halved = halves && can_be_halved(info);
    const ParamId id = bare_.block_of(info.name);
    if (!adapters_.empty()) {
      next.regroup(id, halved ? Group::kHalved : Group::kFrozen);
    } else if (waits_ && halved) {
      next.regroup(id, Group::kHalved);
    }
  }
  return next;
}

void Network::arrange() {
  Layout next = without_adapters();
  for (ParamId id : frozen_) {
    if (is_trained(next.group(id))) next.regroup(id, Group::kFrozen);
  }
  std::map<ParamId, LowRank> low_ranks;
  for (const AdapterSpec& adapter : adapters_) {
    const bool active = adapter.name == active_adapter_;
    std::map<ParamId, LowRank> added = add_to(next, adapter, active);
    if (active) low_ranks = std::move(added);
  }
  parameters_.rearrange(std::move(next), layout_mutex_);
  {
    const std::lock_guard<std::mutex> lock(layout_mutex_);
    parameters_.low_ranks = std::move(low_ranks);
  }
  head_parameters_ = bare_head_parameters_;
  for (ParamId id : bare_head_parameters_) {
    const LowRank* low = parameters_.low_rank(id);
    if (low == nullptr) continue;
    head_parameters_.push_back(low->a);
    for (const LowRank::Part& part : low->parts) head_parameters_.push_back(part.b);
  }
}

void Network::rearrange(const std::function<void()>& change) {
  const std::vector<AdapterSpec> adapters = adapters_;
  const std::string active = active_adapter_;
  const std::vector<ParamId> frozen = frozen_;
  const bool waits = waits_;
  change();
  try {
    arrange();
  } catch (...) {
    waits_ = waits;
    adapters_ = adapters;
    active_adapter_ = active;
    frozen_ = frozen;
    throw;
  }
}

void Network::make_masters() {
  if (!will_make_masters()) return;
  if (parameters_.flat().defined()) return rearrange([&] { waits_ = false; });
  // Nothing has values yet.
  waits_ = false;
  Layout next = without_adapters();
  next.finish();
  const std::lock_guard<std::mutex> lock(layout_mutex_);
  parameters_.layout = std::move(next);
}

void Network::expect(const std::vector<TensorRange>& ranges) {
  if (!will_make_masters()) return;
  const Layout& layout = parameters_.layout;
  const auto needs_master = [&](const TensorRange& range) {
    return range.dtype != "BF16" && layout.group(layout.block_of(range.name)) == Group::kHalved;
  };
  if (std::any_of(ranges.begin(), ranges.end(), needs_master)) make_masters();
}

const Layout& Network::shown() const {
  const Layout& layout = parameters_.layout;
  const bool waits = layout.count() == bare_.count() && layout.size() > layout.mastered_end();
  return waits ? bare_ : layout;
}

std::vector<AdapterSpec>::iterator Network::find_adapter(const std::string& name) {
  const auto found = std::find_if(adapters_.begin(), adapters_.end(),
                                  [&](const AdapterSpec& adapter) { return adapter.name == name; });
  check(found != adapters_.end(), "ERR_INVALID_ARGUMENT", "There is no adapter named ", name);
  return found;
}

void Network::add_adapter(const AdapterSpec& spec, uint64_t seed) {
  prepare();
  check(!int8_, "ERR_UNSUPPORTED", "A model of dtype int8 has no adapters: load it with float32 or bfloat16");
  check(spec_.architecture != "deberta-v2", "ERR_NOT_IMPLEMENTED",
        "Adapters for model_type deberta-v2 are not built yet: its layers for queries and keys also read positions");
  check(!spec.name.empty() && !spec.targets.empty(), "ERR_INVALID_ARGUMENT",
        "Expected a name and at least one target of an adapter");
  check(spec.dropout >= 0 && spec.dropout <= 0.9999, "ERR_INVALID_ARGUMENT",
        "Expected 0 to 0.9999 for the dropout of an adapter but found ", spec.dropout);
  size_t targets = spec.targets.size();
  for (const AdapterSpec& other : adapters_) {
    targets += other.targets.size();
    check(other.name != spec.name, "ERR_INVALID_ARGUMENT", "There is an adapter named ", spec.name, " already");
  }
  check(targets <= kMostTargets, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostTargets,
        " targets of adapters but found ", targets);
  rearrange([&] {
    adapters_.push_back(spec);
    active_adapter_ = spec.name;
  });
  // B stays 0, so that the adapter changes nothing at first.
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const TensorInfo& info : adapter_tensors(spec.name)) {
    if (!info.name.ends_with(".lora_A.weight")) continue;
    draw(linear_initial(info.shape[1]), parameters_.stored(info), generator);
  }
  parameters_.refresh();
}

void Network::set_adapter(const std::string& name) {
  if (!name.empty()) find_adapter(name);
  if (name == active_adapter_) return;
  rearrange([&] { active_adapter_ = name; });
}

void Network::delete_adapter(const std::string& name) {
  const auto found = find_adapter(name);
  rearrange([&] {
    adapters_.erase(found);
    if (active_adapter_ == name) active_adapter_.clear();
  });
}

void Network::merge_adapter(const std::string& name) {
  const at::NoGradGuard no_grad;
  set_adapter(name);
  for (const auto& [weight, low] : parameters_.low_ranks) {
    const at::Tensor merged_OI = with_low_rank(parameters_, weight, low);
    const bool halved = !parameters_.master(weight).defined();
    at::Tensor(halved ? parameters_.value(weight) : parameters_.master(weight)).copy_(merged_OI);
  }
  delete_adapter(name);
}

std::vector<TensorInfo> Network::adapter_tensors(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(layout_mutex_);
  std::vector<TensorInfo> out;
  for (TensorInfo& info : parameters_.layout.tensors()) {
    if (info.name.starts_with(prefix_of(name))) out.push_back(std::move(info));
  }
  return out;
}

std::vector<TensorInfo> Network::tensors() const {
  const std::lock_guard<std::mutex> lock(layout_mutex_);
  std::vector<TensorInfo> out;
  for (TensorInfo& info : shown().tensors()) {
    if (!info.name.starts_with("adapter.")) out.push_back(std::move(info));
  }
  return out;
}

std::vector<TensorInfo> Network::trained_tensors(const std::function<bool(const std::string& name)>& frozen) const {
  const std::lock_guard<std::mutex> lock(layout_mutex_);
  const Layout& layout = shown();
  const std::vector<ParamId> blocks = layout.frozen_blocks(frozen);
  std::vector<TensorInfo> out;
  for (TensorInfo& info : layout.tensors(true)) {
    const ParamId block = layout.block_of(info.name);
    if (std::find(blocks.begin(), blocks.end(), block) == blocks.end()) out.push_back(std::move(info));
  }
  return out;
}

int64_t Network::kept_per_token(bool recompute, at::ScalarType compute,
                                const std::function<bool(const std::string& name)>& frozen) const {
  Parameters shapes;
  {
    const std::lock_guard<std::mutex> lock(layout_mutex_);
    shapes.layout = shown();
    shapes.low_ranks = parameters_.low_ranks;
  }
  for (ParamId id : shapes.layout.frozen_blocks(frozen)) {
    if (id < bare_.count()) shapes.layout.regroup(id, Group::kFrozen);
  }
  shapes.layout.reopen();
  shapes.allocate(at::kMeta, compute);
  return model_->kept_per_token(shapes, recompute);
}

void Network::dump_merged(const TensorRange& range) const {
  const Layout& layout = parameters_.layout;
  const LowRank* low = parameters_.low_rank(layout.block_of(range.name));
  if (low == nullptr) return parameters_.dump(range);
  const at::NoGradGuard no_grad;
  const Layout::MatrixRows rows = layout.rows_of(range.name);
  const at::Tensor merged_OI = with_low_rank(parameters_, rows.block, *low);
  layout.dump(merged_OI.flatten(), range, layout.span(range.name).offset - rows.begin * rows.columns);
}

void Network::freeze(const std::function<bool(const std::string& name)>& frozen) {
  thaw();
  std::vector<ParamId> blocks;
  for (ParamId id : parameters_.layout.frozen_blocks(frozen)) {
    if (id < bare_.count() && is_trained(parameters_.layout.group(id))) blocks.push_back(id);
  }
  if (!blocks.empty()) rearrange([&] { frozen_ = blocks; });
}

void Network::thaw() {
  if (!frozen_.empty()) rearrange([&] { frozen_.clear(); });
}

}  // namespace st
