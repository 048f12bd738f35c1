#include "binding/file_ranges.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "binding/convert.h"
#include "binding/fields.h"
#include "core/error.h"
#include "engine/read_weights.h"

namespace st::binding {

namespace {

void read_all(int file, const FileRange& from, int64_t begin, void* into, int64_t bytes) {
  for (int64_t done = 0; done < bytes;) {
    const auto at = static_cast<off_t>(from.position + begin + done);
    const ssize_t count = pread(file, static_cast<char*>(into) + done, static_cast<size_t>(bytes - done), at);
    if (count < 0 && errno == EINTR) continue;
    check(count >= 0, "ERR_FILE_SYSTEM", "Cannot read tensor ", from.range.name, ": ", std::strerror(errno));
    check(count > 0, "ERR_INVALID_FILE", "The file ends inside tensor ", from.range.name);
    done += count;
  }
}

}  // namespace

std::vector<FileRange> to_file_ranges(Napi::Value value) {
  if (!value.IsArray()) wrong_type("ranges", "an array of ranges of a file", value);
  const auto array = value.As<Napi::Array>();
  std::vector<FileRange> ranges;
  ranges.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const std::string where = "ranges[" + std::to_string(i) + "]";
    const Fields fields(array.Get(i), where, {"name", "start", "dtype", "position", "bytes"});
    const auto integer = [&](const char* name) { return to_integer(fields.get(name), fields.path(name), 0); };
    const TensorRange range{.name = fields.string("name"),
                            .start = integer("start"),
                            .dtype = fields.string("dtype"),
                            .bytes = integer("bytes")};
    ranges.push_back({range, integer("position")});
  }
  return ranges;
}

void load_from_file(Encoder& encoder, int file, const std::vector<FileRange>& ranges, bool last) {
  for (const FileRange& from : ranges) {
    const auto read = [&](int64_t begin, void* into, int64_t bytes) { read_all(file, from, begin, into, bytes); };
    read_weights(encoder, from.range, read, last && &from == &ranges.back());
  }
}

}  // namespace st::binding
