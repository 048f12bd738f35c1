#include "memory_check.h"

#include <algorithm>

namespace st::emulation {

namespace {

bool same_thread(const Moment& a, const Moment& b) {
  return a.block == b.block && a.thread == b.thread;
}

// Whether a barrier, or the order of one thread's own work, puts an access before a later one.
bool is_before(const Moment& then, const Moment& now) {
  if (then.block < 0 || same_thread(then, now)) return true;
  if (then.block != now.block) return false;
  return then.block_barriers < now.block_barriers || (then.warp == now.warp && then.warp_barriers < now.warp_barriers);
}

std::string name_of(const Moment& moment) {
  return "thread " + std::to_string(moment.thread) + " of block " + std::to_string(moment.block);
}

}  // namespace

void MemoryCheck::allow(const void* memory, size_t bytes, size_t number, bool writable) {
  const auto first = reinterpret_cast<uintptr_t>(memory);
  ranges_.push_back({first, first + bytes, number, std::vector<Cell>(writable ? bytes / number : 0)});
}

void MemoryCheck::start_launch() {
  for (Range& range : ranges_) std::fill(range.cells.begin(), range.cells.end(), Cell());
}

MemoryCheck::Range* MemoryCheck::range_of(uintptr_t address) {
  const auto holds = [&](const Range& range) { return range.first <= address && address < range.end; };
  if (last_ < ranges_.size() && holds(ranges_[last_])) return &ranges_[last_];
  const auto found = std::find_if(ranges_.begin(), ranges_.end(), holds);
  if (found == ranges_.end()) return nullptr;
  last_ = static_cast<size_t>(found - ranges_.begin());
  return &*found;
}

std::string MemoryCheck::access(const void* address, size_t bytes, bool is_write, const Moment& now) {
  const auto first = reinterpret_cast<uintptr_t>(address);
  const std::string does = is_write ? " writes" : " reads";
  Range* range = range_of(first);
  if (range == nullptr || first + bytes > range->end) {
    return name_of(now) + does + " memory that the launch was not given";
  }
  if (range->cells.empty()) return is_write ? name_of(now) + " writes memory that is only to be read" : "";

  const size_t index = (first - range->first) / range->number;
  Cell& cell = range->cells[index];
  const auto clash = [&](const Moment& other, const char* did) {
    return name_of(now) + does + " number " + std::to_string(index) + ", which " + name_of(other) + did +
           ", without a barrier in between";
  };
  if (!is_before(cell.writer, now)) return clash(cell.writer, " writes");
  if (is_write) {
    for (const Moment& reader : {cell.reader, cell.other_reader}) {
      if (!is_before(reader, now)) return clash(reader, " reads");
    }
    cell = Cell();
    cell.writer = now;
  } else {
    if (!same_thread(cell.reader, now) && is_before(cell.other_reader, now)) cell.other_reader = cell.reader;
    cell.reader = now;
  }
  return "";
}

}  // namespace st::emulation
