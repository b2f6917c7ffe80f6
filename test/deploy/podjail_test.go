package deploy

import (
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func envOf(c corev1.Container) map[string]string {
	env := map[string]string{}
	for _, v := range c.Env {
		env[v.Name] = v.Value
	}
	return env
}

// mounted returns the files that a pod's container sees, by their paths. What
// a volume refers to must be among the manifests or the example of Secrets.
func (m *manifests) mounted(t testing.TB, pod corev1.PodSpec) map[string]string {
	t.Helper()
	volumes := map[string]map[string]string{}
	for _, v := range pod.Volumes {
		switch {
		case v.ConfigMap != nil && m.configs[v.ConfigMap.Name] != nil:
			volumes[v.Name] = m.configs[v.ConfigMap.Name].Data
		case v.Secret != nil && exampleSecrets(t)[v.Secret.SecretName] != nil:
			volumes[v.Name] = exampleSecrets(t)[v.Secret.SecretName].StringData
			if v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440 {
				t.Errorf("the secrets of %s are not there for the group alone to read", v.Secret.SecretName)
			}
		default:
			t.Errorf("the volume %s refers to nothing that is there: %v", v.Name, v.VolumeSource)
		}
	}
	files := map[string]string{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		for name, content := range volumes[mount.Name] {
			files[path.Join(mount.MountPath, name)] = content
		}
	}
	return files
}

func TestWhatPodsReferToIsThere(t *testing.T) {
	kustomized(t, func(t *testing.T, m *manifests) {
		used := map[string]bool{}
		for name, template := range m.pods() {
			files := m.mounted(t, template.Spec)
			for _, v := range template.Spec.Containers[0].Env {
				if v.ValueFrom != nil {
					t.Errorf("%s takes %s from elsewhere", name, v.Name)
				}
				if v.Name != "GATEHOUSE_CONFIG" && !strings.HasSuffix(v.Name, "_FILE") {
					t.Errorf("%s sets %s in place of its file", name, v.Name)
				}
				if files[v.Value] == "" {
					t.Errorf("%s has no file %s for %s", name, v.Value, v.Name)
				}
			}
			for _, volume := range template.Spec.Volumes {
				if volume.Secret != nil {
					used[volume.Secret.SecretName] = true
				}
			}
		}
		for name := range exampleSecrets(t) {
			if !used[name] {
				t.Errorf("nothing uses the Secret %s", name)
			}
			if !strings.Contains(read(t, "docs/deploy.md"), name) {
				t.Errorf("docs/deploy.md does not name the Secret %s", name)
			}
		}
	})
}

// TestTheProgramsTakeWhatPodsGiveThem has each program check its settings in
// the jail that its pod describes.
func TestTheProgramsTakeWhatPodsGiveThem(t *testing.T) {
	needRoot(t)
	key := strings.TrimSpace(succeed(t, exec.Command("openssl", "rand", "-hex", "32")))
	public := succeed(t, exec.Command("sh", "-c", "openssl genpkey -algorithm RSA 2>/dev/null | openssl pkey -pubout"))
	kustomized(t, func(t *testing.T, m *manifests) {
		for name, template := range m.pods() {
			c := template.Spec.Containers[0]
			j := newJail(t, c.Name)
			for file, content := range m.mounted(t, template.Spec) {
				switch {
				case path.Base(file) == "master-key":
					content = key
				case strings.HasSuffix(file, ".pem"):
					content = public
				}
				j.add(t, mount{write(t, filepath.Join(tempDir(t), path.Base(file)), content), file, false})
			}
			for variable, value := range envOf(c) {
				j.env = append(j.env, variable+"="+value)
			}
			if out, err := j.command(nil, "config", "validate").CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
			out, err := j.command([]string{"GATEHOUSE_NO_SUCH_THING=x"}, "config", "validate").CombinedOutput()
			if err == nil {
				t.Errorf("%s takes anything: %s", name, out)
			}
		}
	})
}
