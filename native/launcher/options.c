#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

// A number, not a release: it changes when the command line or the protocol changes incompatibly.
static const char VERSION_LINE[] = "virga-launcher 1\n";

static _Noreturn void print_version(void) {
  ssize_t written = write(STDOUT_FILENO, VERSION_LINE, sizeof VERSION_LINE - 1);
  _exit(written == (ssize_t)sizeof VERSION_LINE - 1 ? 0 : EXIT_STEP_FAILED);
}

static const char *take_value(char **argv, int *index, const char *option) {
  const char *value = argv[*index + 1];
  if (value == NULL) fail_usage("a value is missing after", option);
  *index += 1;
  return value;
}

static void take_once(const char **place, char **argv, int *index) {
  const char *option = argv[*index];
  if (*place != NULL) fail_usage("an option is given twice", option);
  *place = take_value(argv, index, option);
}

// 0 when `text` is no number, or too large a one.
static int positive_number(const char *text) {
  int number = 0;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9' || number > (INT_MAX - 9) / 10) return 0;
    number = number * 10 + (*text - '0');
  }
  return number;
}

static void take_parent(struct options *options, char **argv, int *index) {
  const char *option = argv[*index];
  if (options->parent != 0) fail_usage("an option is given twice", option);
  const char *text = take_value(argv, index, option);
  options->parent = (pid_t)positive_number(text);
  if (options->parent == 0) fail_usage("a process id is no number", text);
}

static void take_descriptors(struct options *options, char **argv, int *index) {
  const char *option = argv[*index];
  if (options->descriptors != 0) fail_usage("an option is given twice", option);
  const char *text = take_value(argv, index, option);
  int count = positive_number(text);
  if (count == 0 || count > MAX_DESCRIPTORS) fail_usage("a count of descriptors is not 1 to 16", text);
  options->descriptors = (unsigned)count;
}

static void take_bind(struct options *options, char **argv, int *index, bool read_only) {
  const char *option = argv[*index];
  if (options->bind_count == MAX_BINDS) fail_usage("more than 64 binds, at", option);
  struct bind *bind = &options->binds[options->bind_count++];
  bind->source = take_value(argv, index, option);
  bind->target = take_value(argv, index, option);
  bind->read_only = read_only;
}

static void take_env(struct options *options, char **argv, int *index) {
  const char *option = argv[*index];
  char *value = (char *)take_value(argv, index, option);
  if (value[0] == '=' || strchr(value, '=') == NULL) fail_usage("an environment entry is not NAME=VALUE", value);
  // An option of two words has just been consumed, so slot 1 + env_count is behind us: no allocation is needed.
  options->env[options->env_count++] = value;
}

void parse_options(int argc, char **argv, struct options *options) {
  // execve() allows an empty argv; then slot 0 is already the end.
  if (argc < 1) fail_usage("PROGRAM is missing", NULL);
  options->env = argv + 1;

  int i = 1;
  for (; argv[i] != NULL && strcmp(argv[i], "--") != 0; i++) {
    const char *option = argv[i];
    if (strcmp(option, "--die-with-parent") == 0) {
      take_parent(options, argv, &i);
    } else if (strcmp(option, "--cgroup") == 0) {
      take_once(&options->cgroup, argv, &i);
    } else if (strcmp(option, "--netns") == 0) {
      take_once(&options->netns, argv, &i);
    } else if (strcmp(option, "--netdev") == 0) {
      take_once(&options->netdev, argv, &i);
    } else if (strcmp(option, "--mountns") == 0) {
      options->mountns = true;
    } else if (strcmp(option, "--bind") == 0) {
      take_bind(options, argv, &i, false);
    } else if (strcmp(option, "--bind-ro") == 0) {
      take_bind(options, argv, &i, true);
    } else if (strcmp(option, "--rlimit") == 0) {
      const char *text = take_value(argv, &i, option);
      if (!parse_limit(text, options->limits)) fail_usage("a limit is not NAME=NUMBER with a known name", text);
    } else if (strcmp(option, "--descriptors") == 0) {
      take_descriptors(options, argv, &i);
    } else if (strcmp(option, "--chdir") == 0) {
      take_once(&options->directory, argv, &i);
    } else if (strcmp(option, "--env-clear") == 0) {
      options->env_clear = true;
    } else if (strcmp(option, "--env") == 0) {
      take_env(options, argv, &i);
    } else if (strcmp(option, "--version") == 0) {
      print_version();
    } else {
      fail_usage("an option is unknown", option);
    }
  }

  // Without "--" a mistyped option could become the program.
  if (argv[i] == NULL) fail_usage("\"-- PROGRAM\" is missing", NULL);
  if (argv[i + 1] == NULL) fail_usage("PROGRAM is missing after", argv[i]);
  options->program = argv + i + 1;

  // Binding in the host's own namespace would change the host.
  if (options->bind_count > 0 && !options->mountns) fail_usage("--bind and --bind-ro need --mountns", NULL);
}
